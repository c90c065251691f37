//! E-HPC: clusters and regions.

use serde_json::{Value, json};

use super::View;
use super::page::Page;
use crate::sim::failure::Failure;
use crate::sim::world::noise::Noise;
use crate::sim::world::{Cluster, NodeStates, ids, region};

/// `ListClusters`: the clusters of all regions, as documented.
pub(super) fn list_clusters(view: &View<'_>) -> Result<Value, Failure> {
    let page = Page::ehpc(view)?;
    let clusters = &view.world.clusters;
    let mut body = page.body(clusters.len());
    body["Clusters"] = json!({
        "ClusterInfoSimple": page.slice(clusters).iter().map(|cluster| cluster_json(view, cluster)).collect::<Vec<_>>(),
    });
    Ok(body)
}

/// `ListRegions`.
pub(super) fn list_regions() -> Value {
    let region =
        |region: region::Region| json!({"RegionId": region.id, "LocalName": region.chinese});
    json!({"Regions": {"RegionInfo": region::REGIONS.map(region)}})
}

fn cluster_json(view: &View<'_>, cluster: &Cluster) -> Value {
    let noise = Noise::of_word(&cluster.spec.id);
    let nodes = cluster.spec.nodes;
    json!({
        "Id": cluster.spec.id,
        "Name": cluster.spec.name,
        "Description": "",
        "Status": cluster.spec.status,
        "RegionId": cluster.spec.region,
        "ZoneId": format!("{}-i", cluster.spec.region),
        "CreateTime": created(view, noise),
        "SchedulerType": noise.with(2).pick(["slurm", "pbs", "opengridscheduler"]),
        "DeployMode": "Standard",
        "AccountType": noise.with(3).pick(["nis", "ldap"]),
        "Location": "PublicCloud",
        "ComputeSpotStrategy": "NoSpot",
        "ComputeSpotPriceLimit": 0.034,
        "InstanceChargeType": "PostPaid",
        "InstanceType": "ecs.c6.large",
        "ImageOwnerAlias": "system",
        "ImageId": "centos_7_06_64_20G_alibase_20190711.vhd",
        "OsTag": "CentOS_7.6_64",
        "BaseOsTag": "CentOS_7.6_64",
        "ClientVersion": "2.0.37",
        "EhpcVersion": "1.0.0",
        "Count": nodes,
        "HasPlugin": false,
        "IsComputeEss": false,
        "LoginNodes": json!([{"Id": ids::ecs_instance(noise.with(4))}]).to_string(),
        "NodePrefix": "compute",
        "NodeSuffix": "",
        "ResourceGroupId": "rg-acfmxazb4ph0001",
        "VpcId": "vpc-b3f3edefefeep0760yju",
        "VSwitchId": "vsw-bp1lfcjbfb099rrjn001",
        "Managers": counts(cluster.managers()),
        "Computes": counts(cluster.computes(view.at)),
        "TotalResources": resources(nodes),
        "UsedResources": resources(nodes / 2),
    })
}

/// Some day in the year before the world's start. Only this field has milliseconds.
fn created(view: &View<'_>, noise: Noise) -> String {
    let age = jiff::SignedDuration::from_hours(24 * noise.with(1).between(1, 365) as i64);
    view.stamp(-age).replace('Z', ".000Z")
}

fn counts(nodes: NodeStates) -> Value {
    json!({
        "Total": nodes.total,
        "NormalCount": nodes.normal(),
        "OperatingCount": nodes.operating,
        "StoppedCount": nodes.stopped,
        "ExceptionCount": nodes.exception,
    })
}

fn resources(nodes: usize) -> Value {
    json!({"Cpu": nodes * 2, "Gpu": 0, "Memory": nodes * 4096})
}
