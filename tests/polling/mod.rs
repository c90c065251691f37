//! The pure chain in virtual time: whatever the cloud does and whenever, what is shown is true, and
//! few calls are made.

mod answers;
mod bounds;
mod budgets;
mod change;
mod clocks;
mod discovery;
mod disk;
mod ends;
mod endurance;
mod entries;
mod estimate;
mod fleet;
mod jobs;
mod listings;
mod lists;
mod living;
mod planned;
mod random;
mod region;
mod restart;
mod series;
mod shown;
mod texts;
mod throttled;
mod timeouts;
mod trouble;
