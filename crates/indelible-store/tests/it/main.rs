//! The store from outside: contracts of its seams, a running log, and every fault the simulated disk knows.

mod running;
