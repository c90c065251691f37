//! Which process polls what, if several share the targets of one configuration.
//!
//! They share them by unit: a quota group in a region, like budgets. So two processes never use the
//! same budget, and together make no more calls than one would. The shard of a unit depends only on
//! what is the same for all: the configuration and the tables of known regions.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::config::{Config, Regions, Shard};
use crate::regions::{EHPC, SWAS, Service};

/// The shard of each unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Units {
    shard: Shard,
    /// The shards of units that can be named without asking the cloud, by quota group and region.
    named: BTreeMap<String, BTreeMap<String, u32>>,
}

impl Units {
    /// The units of a configuration.
    ///
    /// Units that it names, or that `all` stands for in known regions, are spread evenly: by
    /// rendezvous hashing, with no shard above the average, rounded up. Any other unit, in a region
    /// that this version does not know, goes by rendezvous hashing alone.
    pub fn of(config: &Config) -> Self {
        let shard = config.shard;
        if shard.count <= 1 {
            return Self { shard, named: BTreeMap::new() };
        }
        let mut named: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for (group, region, owner) in spread(&units(config), shard.count) {
            named.entry(group.to_owned()).or_default().insert(region.to_owned(), owner);
        }
        Self { shard, named }
    }

    /// Whether this process polls a unit.
    pub fn has(&self, quota_group: &str, region: &str) -> bool {
        self.shard.count <= 1 || self.owner(quota_group, region) == self.shard.index
    }

    /// Number of named units that this process polls; 0 without shards.
    pub fn own(&self) -> usize {
        self.of_shard(self.shard.index).count()
    }

    /// The named units of a shard, as quota group and region.
    pub fn of_shard(&self, index: u32) -> impl Iterator<Item = (&str, &str)> {
        let all = self.named.iter().flat_map(|(group, regions)| {
            regions.iter().map(move |(region, owner)| (&**group, &**region, *owner))
        });
        all.filter(move |(_, _, owner)| *owner == index).map(|(group, region, _)| (group, region))
    }

    fn owner(&self, quota_group: &str, region: &str) -> u32 {
        let named = self.named.get(quota_group).and_then(|regions| regions.get(region));
        named.copied().unwrap_or_else(|| {
            let best = (0..self.shard.count).max_by_key(|shard| score(quota_group, region, *shard));
            best.unwrap_or_default()
        })
    }
}

/// The pairs of quota group and region that can be named without asking the cloud.
fn units(config: &Config) -> BTreeSet<(&str, &str)> {
    let groups: BTreeMap<&str, &str> =
        config.accounts.iter().map(|account| (&*account.name, &*account.quota_group)).collect();
    let group = |account: &'_ str| groups.get(account).copied();
    let mut units = BTreeSet::new();
    for cluster in &config.clusters {
        units.extend(group(&cluster.account).map(|group| (group, &*cluster.region)));
    }
    for server in &config.servers {
        units.extend(group(&server.account).map(|group| (group, &*server.region)));
    }
    let searches =
        [(&config.cluster_discovery.entries, &EHPC), (&config.server_discovery.entries, &SWAS)];
    for (entries, service) in searches {
        for entry in entries {
            let Some(group) = group(&entry.account) else { continue };
            match &entry.regions {
                Regions::Named(named) => {
                    units.extend(named.iter().map(|region| (group, &**region)));
                }
                Regions::All => units.extend(known(service).map(|region| (group, region))),
            }
        }
    }
    units
}

fn known(service: &Service) -> impl Iterator<Item = &'static str> {
    service.public.iter().chain(service.vpc).copied()
}

/// Rendezvous hashing with bounded load: the highest scores choose first, and none takes a shard
/// that is full.
fn spread<'a>(units: &BTreeSet<(&'a str, &'a str)>, count: u32) -> Vec<(&'a str, &'a str, u32)> {
    let mut bids: Vec<(u64, &str, &str, u32)> = units
        .iter()
        .flat_map(|(group, region)| {
            (0..count).map(|shard| (score(group, region, shard), *group, *region, shard))
        })
        .collect();
    bids.sort_unstable_by(|one, other| other.cmp(one));
    let room = units.len().div_ceil(count as usize);
    let mut load = vec![0; count as usize];
    let mut placed = BTreeSet::new();
    let mut spread = Vec::with_capacity(units.len());
    for (_, group, region, shard) in bids {
        let load = &mut load[shard as usize];
        if *load < room && placed.insert((group, region)) {
            *load += 1;
            spread.push((group, region, shard));
        }
    }
    debug_assert_eq!(spread.len(), units.len(), "there is room for each");
    spread
}

/// The first eight bytes of a SHA-256, so that it is the same on each machine and in each version.
fn score(quota_group: &str, region: &str, shard: u32) -> u64 {
    let digest = Sha256::digest(format!("{quota_group}\0{region}\0{shard}"));
    digest.iter().take(8).fold(0, |score, byte| score << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Units, score, spread};
    use crate::config::{Config, Shard, parse};

    fn config(yaml: &str, index: u32, count: u32) -> Config {
        let config = parse("test.yaml", yaml, &|_| None).unwrap();
        Config { shard: Shard { index, count }, ..config }
    }

    const FIVE: &str = "accounts: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e, quota_group: a}]\n\
        swas: {discovery: [{account: a, regions: [r1, r2, r3, r4]}, {account: b, regions: [r1, r2, r3, r4]}, \
        {account: c, regions: [r1, r2, r3, r4]}, {account: d, regions: [r1, r2, r3, r4]}, \
        {account: e, regions: [r4, r5]}]}";

    #[test]
    fn each_unit_has_one_shard_and_no_shard_has_more_than_its_share() {
        for count in 2..=20 {
            let units = Units::of(&config(FIVE, 0, count));
            let mut all = BTreeSet::new();
            for index in 0..count {
                let own: Vec<_> = units.of_shard(index).collect();
                assert!(own.len() <= 17_usize.div_ceil(count as usize), "{count} {own:?}");
                for (group, region) in own {
                    assert!(all.insert((group.to_owned(), region.to_owned())));
                    for other in 0..count {
                        let has = Units::of(&config(FIVE, other, count)).has(group, region);
                        assert_eq!(has, other == index);
                    }
                }
            }
            assert_eq!(all.len(), 17, "a and e have one budget in r4");
        }
    }

    #[test]
    fn one_more_shard_moves_little_more_than_what_it_takes() {
        let names: Vec<String> = (0..60).map(|number| format!("r{number}")).collect();
        let units: BTreeSet<(&str, &str)> = names.iter().map(|name| ("g", &**name)).collect();
        for count in 1..10 {
            let before: BTreeSet<_> = spread(&units, count).into_iter().collect();
            let after: BTreeSet<_> = spread(&units, count + 1).into_iter().collect();
            let moved = after.difference(&before).count();
            let share = 60_usize.div_ceil(count as usize + 1);
            assert!(moved <= share * 2, "{count}: {moved} of 60 move, {share} have to");
        }
    }

    #[test]
    fn all_regions_are_spread_as_the_tables_name_them_and_an_unknown_one_has_one_shard() {
        let all = "swas: {discovery: [{regions: [all]}]}";
        let own = |index| Units::of(&config(all, index, 4));
        let counts: Vec<usize> = (0..4).map(|index| own(index).own()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 27);
        assert!(counts.iter().all(|count| *count <= 7), "{counts:?}");
        for region in ["cn-mars", "cn-venus-2", "moon"] {
            let owners = (0..4).filter(|index| own(*index).has("default", region)).count();
            assert_eq!(owners, 1, "{region}");
        }
    }

    #[test]
    fn the_score_is_what_it_was_in_every_earlier_version() {
        assert_eq!(score("default", "cn-hangzhou", 0), 0x6d3b5612b085e868);
    }

    #[test]
    fn a_single_process_polls_everything() {
        let units = Units::of(&config(FIVE, 0, 1));
        assert!(units.has("a", "r1") && units.has("x", "y"));
    }
}
