export { formatsFor, mayBeAnyKind } from './asset-kinds.js';
export { judgeArrival, type Arrival, type ArrivalRules } from './judge-arrival.js';
export { createTickets, type Ticket, type Tickets } from './tickets.js';
export { writeCommitMark } from './write-commit-mark.js';
