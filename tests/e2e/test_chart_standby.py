"""The chart with a standby: two pods, a Lease that one of them has, and a way for the state from one to the other."""

import pytest
import yaml

from chart import NAME, Object, Rendered, hold, render, secret_data, values_of


@pytest.fixture
def rendered() -> Rendered:
    return render(values_of("standby"))


def test_the_pods_may_use_their_lease_and_nothing_else(rendered: Rendered) -> None:
    lease = rendered.config["state"]["lease"]
    named, unnamed = rendered.one("Role")["rules"]
    of_leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    assert named == of_leases | {"resourceNames": [lease["name"]], "verbs": ["get", "update"]}
    assert unnamed == of_leases | {"verbs": ["create"]}
    binding = rendered.one("RoleBinding")
    assert binding["roleRef"]["name"] == rendered.one("Role")["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["kind"], subject["name"]) == ("ServiceAccount", rendered.pod["serviceAccountName"])


def test_each_pod_has_an_address_and_a_volume_of_its_own(rendered: Rendered) -> None:
    service = rendered.one("Service", "-pods")
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    address = f"${{POD_NAME}}.{service['metadata']['name']}.monitoring:10977"
    assert rendered.config["state"]["lease"]["url"] == f"https://{address}"
    plain = render(values_of("standby") | {"webConfig": {"content": {}, "tlsSecret": ""}})
    assert plain.config["state"]["lease"]["url"] == f"http://{address}"
    assert "ca_file" not in plain.config["state"]["lease"]
    assert len(rendered.one("StatefulSet")["spec"]["volumeClaimTemplates"]) == 1
    assert rendered.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_the_pods_reach_each_other_and_the_api_server(rendered: Rendered) -> None:
    policy = rendered.one("NetworkPolicy")["spec"]
    pods = {"podSelector": policy["podSelector"]}
    (incoming,) = policy["ingress"]
    assert pods in incoming["from"]
    assert any(rule.get("to") == [pods] for rule in policy["egress"])
    open_ports = {port["port"] for rule in policy["egress"] if "to" not in rule for port in rule["ports"]}
    assert {443, 6443} <= open_ports


def test_the_secret_is_random_unless_there_is_one(rendered: Rendered) -> None:
    (secret,) = secret_data(rendered.one("Secret", "-standby")).values()
    assert len(secret) == 48
    (other,) = secret_data(render(values_of("standby")).one("Secret", "-standby")).values()
    assert other != secret
    existing = render(values_of("standby") | {"standbySecret": "ours"})
    assert not [one for one in existing.all("Secret") if one["metadata"]["name"].endswith("-standby")]
    (volume,) = (one for one in existing.pod["volumes"] if one["name"] == "standby")
    assert volume["secret"]["secretName"] == "ours"


def test_without_a_standby_there_is_nothing_of_it() -> None:
    rendered = render(values_of("secret"))
    kinds = {one["kind"] for one in rendered.objects}
    assert not kinds & {"Role", "RoleBinding", "PodDisruptionBudget"}
    assert "lease" not in yaml.safe_dump(rendered.objects)


def test_a_user_s_affinity_takes_the_place_of_the_chart_s() -> None:
    spread: Object = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}
    assert render(values_of("standby") | {"affinity": spread}).pod["affinity"] == spread
    rendered = render(values_of("standby"))
    (term,) = rendered.pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    labels = rendered.one("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"].items() <= labels.items()
    assert rendered.one("StatefulSet")["metadata"]["name"] == NAME
    hold(rendered.one("StatefulSet"))
