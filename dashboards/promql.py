"""Parts of queries. Replicas are merged: whatever `instance` says is taken at its maximum."""

from dataclasses import dataclass

from grafana.table import TOP

JOB = 'job=~"$job"'
# What tells replicas apart.
REPLICA = "job, instance"


def newest(metric: str, ids: str, matchers: str = "", at_end: bool = False) -> str:
    """The values of a family, one for each of `ids`, whichever replica has them; `at_end` of the dashboard's time."""
    return f"max by ({ids}) ({metric}{{{joined(JOB, matchers)}}}{' @ end()' if at_end else ''})"


def joined(*matchers: str) -> str:
    return ", ".join(matcher for matcher in matchers if matcher)


@dataclass(frozen=True)
class Owners:
    """Clusters or servers, as the variables of a dashboard select them."""

    info: str
    id: str
    name: str
    title: str
    variable: str

    def names(self, keep: str = "") -> str:
        """1 for each that is selected, with its name under `title`, or its id if it has none, and the label `keep`."""
        labels = f"{self.id}, {self.name}" + (f", {keep}" if keep else "")
        known = newest(self.info, labels, joined('account=~"$account", region_id=~"$region"', self.selected))
        one = f"topk by ({self.id}) (1, {known})"
        unnamed = f'label_replace({one}, "{self.title}", "$1", "{self.id}", "(.*)")'
        return f'label_replace({unnamed}, "{self.title}", "$1", "{self.name}", "(.+)")'

    @property
    def selected(self) -> str:
        """A matcher for the variable; the fleet has none."""
        return f'{self.id}=~"${self.variable}"' if self.variable else ""

    def ours(self, expr: str, at_end: bool = False) -> str:
        """What of `expr` belongs to those that are selected; `at_end`, to those that are there now."""
        chosen = joined(JOB, 'account=~"$account", region_id=~"$region"', self.selected)
        return f"({expr}) and on ({self.id}) {self.info}{{{chosen}}}{' @ end()' if at_end else ''}"

    def raw(self, metric: str, matchers: str = "") -> str:
        """The series of those that are selected, replicas apart: cheaper where only a few are kept."""
        return f"{metric}{{{joined(JOB, self.selected, matchers)}}}"

    def top(self, expr: str, labels: str) -> str:
        """The greatest of an expression of raw series, with the names of their owners; `labels` besides the id."""
        merged = f"max by ({self.id}, {labels}) (topk({TOP}, {self.ours(expr)}))"
        return self.with_names(merged)

    def with_names(self, expr: str, more: str = "") -> str:
        """The same with their names, and with another label of theirs."""
        labels = self.title + (f", {more}" if more else "")
        return f"({expr}) * on ({self.id}) group_left ({labels}) {self.names(keep=more)}"

    def summed(self, metric: str, labels: str, matchers: str = "") -> str:
        """Sums of a family for each owner and `labels`: replicas are merged after summing, which is cheaper."""
        ids = f"{self.id}, {labels}" if labels else self.id
        selector = f"{metric}{{{joined(JOB, self.selected, matchers)}}}"
        return f"max by ({ids}) (sum by (job, instance, {ids}) ({selector}))"

    def grown(self, counter: str, labels: str, matchers: str = "", window: str = "$__rate_interval") -> str:
        """By how much a counter has grown, in whole numbers."""
        ids = f"{self.id}, {labels}" if labels else self.id
        selector = f"{counter}{{{joined(JOB, self.selected, matchers)}}}"
        return f"max by ({ids}) (sum by (job, instance, {ids}) (round(increase({selector}[{window}]))))"

    def total(self, expr: str, by: str = "", at_end: bool = False) -> str:
        """The sum over those that are selected."""
        grouped = f" by ({by})" if by else ""
        return f"sum{grouped} ({self.ours(expr, at_end)})"

    def of(self, metric: str, labels: str = "", matchers: str = "", at_end: bool = False) -> str:
        """`newest` of those that are selected; `labels` besides the id."""
        ids = f"{self.id}, {labels}" if labels else self.id
        return newest(metric, ids, joined(self.selected, matchers), at_end)


def clusters(variable: str = "cluster") -> Owners:
    return Owners("aliyun_ehpc_cluster_info", "cluster_id", "cluster_name", "cluster", variable)


def servers(variable: str = "server") -> Owners:
    return Owners("aliyun_swas_server_info", "instance_id", "instance_name", "server", variable)


def or_zero(expr: str, presence: str) -> str:
    """0 where `expr` has nothing although there is what `presence` counts."""
    return f"{expr} or 0 * {presence}"


def share(part: str, whole: str) -> str:
    return f"({part}) / ({whole} > 0)"


def limited(expr: str, ids: str, rows: str) -> str:
    """The values of the rows that a table shows."""
    return f"({expr}) and on ({ids}) {rows}"


# How an expression of Unix times compares with now.
def age(expr: str) -> str:
    return f"time() - {expr}"
