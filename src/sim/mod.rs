//! A pretend Alibaba Cloud.
