//! Lists that must be read whole, but have more pages than may be read if they fill their windows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kinds::{list, window};
use crate::action::Action;
use crate::aliyun::op::PAGE_SIZE;
use crate::config::Poll;
use crate::target::Target;

/// An operation whose lists may have more pages than may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongLists {
    /// The operation.
    pub action: Action,
    /// Number of its lists that may be too long.
    pub lists: usize,
    /// Pages of the longest list.
    pub pages: usize,
    /// Id of the target with the longest list.
    pub longest: String,
    /// Maximum number of pages read: `poll.history_max_pages`.
    pub limit: u32,
    /// Configuration key of its window.
    pub key: &'static str,
}

/// The operations of `polled` whose lists are too long if they fill their windows.
pub(super) fn long_lists(polled: &[Arc<Target>], poll: &Poll) -> Vec<LongLists> {
    let mut long: BTreeMap<&str, LongLists> = BTreeMap::new();
    for target in polled {
        let Some((action, key)) = list(target) else { continue };
        let pages = window(target).div_ceil(PAGE_SIZE as usize);
        if pages <= poll.history_max_pages as usize {
            continue;
        }
        let none = LongLists {
            action,
            lists: 0,
            pages: 0,
            longest: String::new(),
            limit: poll.history_max_pages,
            key,
        };
        let known = long.entry(action.name()).or_insert(none);
        known.lists += 1;
        if pages > known.pages {
            known.pages = pages;
            known.longest = target.id.id.to_string();
        }
    }
    long.into_values().collect()
}
