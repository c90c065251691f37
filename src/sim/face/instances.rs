//! SWAS: servers and regions.

use serde_json::{Value, json};

use super::View;
use super::page::Page;
use crate::sim::failure::Failure;
use crate::sim::world::noise::Noise;
use crate::sim::world::{Server, region};

/// `ListInstances`, of one region.
pub(super) fn list_instances(view: &View<'_>) -> Result<Value, Failure> {
    let region = region(view)?;
    let page = Page::swas(view, 100)?;
    let ids = wanted_ids(view)?;
    let is_wanted = |server: &&Server| {
        server.spec.region == region
            && ids.as_ref().is_none_or(|ids| ids.contains(&server.spec.id))
            && view
                .optional("InstanceName")
                .is_none_or(|pattern| matches(pattern, &server.spec.name))
            && view.optional("Status").is_none_or(|status| status == server.spec.status)
    };
    let servers: Vec<&Server> = view.world.servers.iter().filter(is_wanted).collect();
    if servers.is_empty() && ids.is_some_and(|ids| !ids.is_empty()) {
        // The API's answer if it knows none of the ids, as learned from Terraform's provider.
        return Err(Failure::new(
            500,
            "InternalError",
            "An error occurred while processing your request.",
        ));
    }
    let mut body = page.body(servers.len());
    body["Instances"] =
        page.slice(&servers).iter().map(|server| server_json(view, server)).collect();
    Ok(body)
}

/// `ListRegions`, in Chinese by default.
pub(super) fn list_regions(view: &View<'_>) -> Value {
    let english = view
        .optional("AcceptLanguage")
        .is_some_and(|language| language.eq_ignore_ascii_case("en-US"));
    let region = |region: region::Region| {
        json!({
            "RegionId": region.id,
            "LocalName": if english { region.english } else { region.chinese },
            "RegionEndpoint": format!("swas.{}.aliyuncs.com", region.id),
        })
    };
    json!({"Regions": region::REGIONS.map(region)})
}

/// The region, which all SWAS operations but one require.
pub(super) fn region<'a>(view: &'a View<'_>) -> Result<&'a str, Failure> {
    let region = view.required("RegionId")?;
    if region::exists(region)
        || view.world.servers.iter().any(|server| server.spec.region == region)
    {
        return Ok(region);
    }
    Err(Failure::new(404, "InvalidRegionId.NotFound", "The specified RegionId does not exist."))
}

/// `InstanceIds` is a JSON array in a string.
fn wanted_ids(view: &View<'_>) -> Result<Option<Vec<String>>, Failure> {
    let Some(text) = view.optional("InstanceIds") else { return Ok(None) };
    let ids: Vec<String> =
        serde_json::from_str(text).map_err(|_| Failure::invalid("InstanceIds"))?;
    if ids.len() > 100 { Err(Failure::invalid("InstanceIds")) } else { Ok(Some(ids)) }
}

/// Whether a name matches a pattern; `*` at either end matches anything.
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => name.contains(rest.strip_suffix('*').unwrap_or(rest)),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

fn server_json(view: &View<'_>, server: &Server) -> Value {
    let noise = Noise::of_word(&server.spec.id);
    let region = &server.spec.region;
    let host = noise.with(1).between(2, 250);
    let created =
        view.stamp(jiff::SignedDuration::from_hours(-24 * noise.with(2).between(1, 300) as i64));
    json!({
        "InstanceId": server.spec.id,
        "InstanceName": server.spec.name,
        "RegionId": region,
        "Status": server.spec.status,
        "BusinessStatus": server.business_status(view.at),
        "ChargeType": "PrePaid",
        "CreationTime": created,
        "ExpiredTime": server.spec.expires.map(|expires| view.stamp(expires)),
        "DdosStatus": "Normal",
        "ImageId": "fe9c66133a9d4688872869726b520001",
        "PlanId": "swas.s2.c2m2s50b4t08",
        "PlanType": "NORMAL",
        "PublicIpAddress": format!("203.0.113.{host}"),
        "InnerIpAddress": format!("172.26.0.{host}"),
        "Combination": false,
        "CombinationInstanceId": "",
        "ResourceGroupId": "rg-aekz7jmhg5s0001",
        "Uuid": crate::sim::world::ids::uuid(noise.with(4).bits(), noise.with(5).bits()).to_lowercase(),
        "Image": {
            "ImageName": "CentOS", "ImageType": "system", "ImageVersion": "7.6", "OsType": "linux",
            "ImageContact": "", "ImageIconUrl": "",
        },
        "ResourceSpec": {
            "Cpu": 2, "Memory": 2.0, "DiskSize": 50, "DiskCategory": "ESSD", "Bandwidth": 4, "Flow": 818.0,
        },
        "NetworkAttributes": [network(host)],
        "Tags": [{"Key": "env", "Value": "test"}],
        "Disks": [disk(region, &created, noise.with(3))],
    })
}

fn network(host: u64) -> Value {
    json!({
        "PublicIpAddress": format!("203.0.113.{host}"),
        "PrivateIpAddress": format!("172.26.0.{host}"),
        "PeakBandwidth": 4,
        "PublicIpDdosStatus": "Normal",
    })
}

fn disk(region: &str, created: &str, noise: Noise) -> Value {
    json!({
        "DiskId": format!("d-bp1{:015x}", noise.bits() >> 4),
        "DiskName": "SystemDisk",
        "DiskType": "system",
        "Category": "ESSD",
        "Size": 50,
        "Status": "In_use",
        "Device": "/dev/xvda",
        "DiskChargeType": "PrePaid",
        "RegionId": region,
        "CreationTime": created,
        "Remark": "",
        "ResourceGroupId": "rg-aekz7jmhg5s0001",
        "DiskTags": [],
    })
}
