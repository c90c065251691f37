//! The parameters of requests.

use std::borrow::Cow;

/// Maximum PageSize of all lists read here except ListInstances (docs/alibaba-cloud-api.md,
/// "Limits").
pub const PAGE_SIZE: u32 = 50;

/// Names and values of a request's parameters.
pub type Parameters<'a> = Vec<(&'static str, Cow<'a, str>)>;
