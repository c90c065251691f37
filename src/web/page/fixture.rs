//! Views for the tests.
