"""The container of the chart's pod on this machine: its volumes in a folder, its flags and probes as the chart says."""

from pathlib import Path

import yaml

from api_server import NAMESPACE, TOKEN
from chart import Object, Rendered, secret_data

PORT = ":10977"


class Pod:
    """Volumes are laid out like a kubelet does; paths in flags and in the configuration then lead into `folder`."""

    def __init__(self, rendered: Rendered, folder: Path, secrets: dict[str, dict[str, str]] | None = None) -> None:
        """`secrets` are those that the release expects to exist, by name."""
        self.folder = folder
        self.name = rendered.one("StatefulSet")["metadata"]["name"]
        self.container = rendered.container
        self.secrets = {one["metadata"]["name"]: secret_data(one) for one in rendered.all("Secret")} | (secrets or {})
        self.volumes = {volume["name"]: volume for volume in rendered.pod.get("volumes", [])}
        self.versions = 0
        for mount in self.container.get("volumeMounts", []):
            path = self.path(mount["mountPath"])
            path.mkdir(parents=True)
            self.project(path, self.files(rendered, mount["name"]))

    def path(self, inside: str) -> Path:
        """Where a path of the container is on this machine."""
        return self.folder / inside.lstrip("/")

    def files(self, rendered: Rendered, volume: str) -> dict[str, str]:
        """What a volume holds: nothing, if it is one for the state."""
        source = self.volumes.get(volume, {})
        if "configMap" in source:
            maps = {one["metadata"]["name"]: one["data"] for one in rendered.all("ConfigMap")}
            return {name: self.moved(text) for name, text in maps[source["configMap"]["name"]].items()}
        if "secret" in source:
            return self.secrets[source["secret"]["secretName"]]
        parts = source.get("projected", {}).get("sources", [])
        return {name: text for part in parts for name, text in self.projected(part).items()}

    def projected(self, part: Object) -> dict[str, str]:
        """A source of a projected volume."""
        if "serviceAccountToken" in part:
            return {part["serviceAccountToken"]["path"]: TOKEN}
        if "downwardAPI" in part:
            (item,) = part["downwardAPI"]["items"]
            assert item["fieldRef"]["fieldPath"] == "metadata.namespace"
            return {item["path"]: NAMESPACE}
        if "configMap" in part:
            (item,) = part["configMap"]["items"]
            assert part["configMap"]["name"] == "kube-root-ca.crt"
            return {item["path"]: self.secrets["kube-root-ca.crt"][item["key"]]}
        return self.secrets[part["secret"]["name"]]

    def project(self, path: Path, files: dict[str, str]) -> None:
        """Puts files into a folder, or replaces them, all at once."""
        self.versions += 1
        version = path / f"..{self.versions}"
        version.mkdir()
        for name, text in files.items():
            (version / name).write_text(text)
            if not (path / name).is_symlink():
                (path / name).symlink_to(f"..data/{name}")
        (path / "..data_tmp").symlink_to(version.name)
        (path / "..data_tmp").rename(path / "..data")

    def moved(self, text: str) -> str:
        """The text with the container's paths led into the folder."""
        for mount in self.container.get("volumeMounts", []):
            text = text.replace(mount["mountPath"], str(self.path(mount["mountPath"])))
        return text

    @property
    def arguments(self) -> list[str]:
        """The flags, except that any port of this machine will do."""
        flags = [self.moved(flag) for flag in self.container["args"]]
        (address,) = (place for place, flag in enumerate(flags) if flag == f"--web.listen-address={PORT}")
        flags[address] = "--web.listen-address=127.0.0.1:0"
        return flags

    @property
    def environment(self) -> dict[str, str]:
        """The variables that are made from the pod."""
        fields = {"metadata.name": f"{self.name}-0"}
        variables = [one for one in self.container.get("env", []) if "fieldRef" in one.get("valueFrom", {})]
        return {one["name"]: fields[one["valueFrom"]["fieldRef"]["fieldPath"]] for one in variables}

    def update(self, rendered: Rendered) -> None:
        """A new ConfigMap arrives."""
        self.project(self.path("/etc/aliyun-task-exporter/config"), self.files(rendered, "config"))

    def probes(self) -> list[Object]:
        """What each probe requests."""
        return [self.container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]


def web_config(rendered: Rendered) -> Object:
    """The content of the web configuration file."""
    found: Object = yaml.safe_load(secret_data(rendered.one("Secret", "-web"))["web.yml"])
    return found
