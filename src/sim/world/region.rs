//! The simulated regions.

/// A region and its names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    pub(crate) id: &'static str,
    /// The two letters used in ids.
    pub(crate) code: &'static str,
    pub(crate) chinese: &'static str,
    pub(crate) english: &'static str,
}

/// The regions the cloud lists. The last one is empty.
pub(crate) const REGIONS: [Region; 4] = [
    Region {
        id: "cn-hangzhou", code: "hz", chinese: "华东1（杭州）", english: "China (Hangzhou)"
    },
    Region {
        id: "cn-shanghai", code: "sh", chinese: "华东2（上海）", english: "China (Shanghai)"
    },
    Region { id: "ap-southeast-1", code: "sg", chinese: "新加坡", english: "Singapore" },
    Region {
        id: "us-east-1", code: "us", chinese: "美国（弗吉尼亚）", english: "US (Virginia)"
    },
];

/// The region of the n-th cluster or server of a generated world; half of them are in the first.
pub(crate) fn home(index: usize) -> Region {
    REGIONS[[0, 0, 1, 2][index % 4]]
}

/// Whether a region exists.
pub(crate) fn exists(id: &str) -> bool {
    REGIONS.iter().any(|region| region.id == id)
}
