export {
  formatsFor,
  judgeArrival,
  mayBeAnyKind,
  writeCommitMark,
  type Arrival,
  type ArrivalRules,
} from './arrivals.js';
export { createTickets, type Ticket, type Tickets } from './tickets.js';
