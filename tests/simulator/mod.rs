//! The simulator as its callers see it: requests in, answers out, and the truth to compare them
//! with.

mod alive;
mod api;
mod caller;
mod credentials;
mod faults;
mod gateway;
mod late;
mod script;
mod shapes;
mod tcp;
