export { mayBeAnyKind, refusalOfArrival, writeCommitMark, type ArrivalRules } from './arrivals.js';
export { createTickets, type Ticket, type Tickets } from './tickets.js';
