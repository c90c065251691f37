//! Simplified Chinese, in the terms of Alibaba Cloud's console.

use jiff::Timestamp;

use super::table::{Texts, grouped};
use crate::model::Reason;
use crate::target::Kind;
use crate::web::budget::{Budget, LoweredStatus, RestingStatus, calls, clock};
use crate::web::status::{AccountProblem, AccountStatus, ProblemKind};

/// A status, a task type or a part of the series, as the console names it; what is not known stays
/// as it was sent.
fn word(sent: &str) -> &str {
    match sent {
        "Processing" | "Running" => "执行中",
        "Success" => "成功",
        "Finished" => "已完成",
        "Failed" => "失败",
        "PartialFail" | "PartialFailed" => "部分失败",
        "Stopped" => "已停止",
        "Stopping" => "停止中",
        "Pending" => "等待中",
        "Scheduled" => "等待执行",
        "Invalid" => "命令无效",
        "Aborted" => "下发失败",
        "Error" => "执行异常",
        "Timeout" => "执行超时",
        "Cancelled" => "已取消",
        "Terminated" => "已终止",
        "unknown" => "未知",
        "CreateCluster" => "创建集群",
        "StartCluster" => "启动集群",
        "StopCluster" => "停止集群",
        "DeleteCluster" => "释放集群",
        "AddComputes" => "添加计算节点",
        "StartComputes" => "启动计算节点",
        "ResetCompute" => "重置计算节点",
        "StopComputes" => "停止计算节点",
        "DeleteComputes" => "删除计算节点",
        other => other,
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Throttled => "被限流",
        Reason::Credentials => "凭据无效",
        Reason::Permission => "无权限",
        Reason::Blocked => "请求被拦截",
        Reason::NotFound => "不存在",
        Reason::InvalidRequest => "请求无效",
        Reason::Account => "账号异常",
        Reason::Conflict => "状态冲突",
        Reason::Clock => "时钟不准",
        Reason::Service => "服务端错误",
        Reason::Timeout => "超时",
        Reason::Dns => "域名解析失败",
        Reason::Connect => "无法连接",
        Reason::Tls => "TLS 错误",
        Reason::Proxy => "代理错误",
        Reason::Transport => "传输中断",
        Reason::Decode => "响应无法解析",
        Reason::TooLarge => "响应过大",
    }
}

fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::Throttled => {
            "无需处理，稍后会自动重试；如果反复出现，请检查是否有其他程序占用该账号的 API 配额。"
        }
        Reason::Credentials => "请检查 accounts[].credentials 中的凭据是否正确、是否已过期。",
        Reason::Permission => {
            "请为 RAM 用户或角色授予该接口的权限；aliyun-task-exporter doctor 会列出所需的权限策略。"
        }
        Reason::Blocked => "请检查本机到阿里云之间的防火墙、网关或代理。",
        Reason::NotFound => "请检查 ID 和地域是否正确，或该资源是否已释放。",
        Reason::InvalidRequest => "请检查 ID 和地域是否正确；如果确认无误，请反馈此问题。",
        Reason::Account => "请检查账号是否欠费、是否已开通该服务。",
        Reason::Conflict => "集群当前的状态不支持该请求，稍后会自动重试。",
        Reason::Clock => "请校准本机时钟：与阿里云相差超过 15 分钟的请求会被拒绝。",
        Reason::Service => "无需处理：阿里云返回了服务端错误，下次轮询时会重试。",
        Reason::Timeout => "下次轮询时会重试；如果反复出现，请检查网络，或调大 poll.timeout。",
        Reason::Dns => "请检查本机的 DNS，以及接入点（endpoint）是否正确。",
        Reason::Connect => "请检查网络、防火墙，以及接入点（endpoint）是否正确。",
        Reason::Tls => "请检查本机时钟、代理的证书，以及是否需要配置私有 CA。",
        Reason::Proxy => "请检查代理的地址和可用性。",
        Reason::Transport => "下次轮询时会重试；如果反复出现，请检查网络。",
        Reason::Decode => "响应与文档不符；如果反复出现，请反馈此问题。",
        Reason::TooLarge => "请调大 poll.max_response_bytes。",
    }
}

fn problem_kind(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::NoCredentials => "没有凭据",
        ProblemKind::CredentialsRefused => "凭据被拒绝",
        ProblemKind::CredentialsEnded => "凭据已过期",
        ProblemKind::CredentialsEnding => "凭据即将过期",
        ProblemKind::CredentialsNotRenewed => "凭据无法续期",
        ProblemKind::NotAuthorized => "缺少权限",
        ProblemKind::Clock => "本机时钟不准",
        ProblemKind::Throttled => "被阿里云限流",
    }
}

/// What is wrong with an account, and what to do about it.
fn problem(problem: &AccountProblem, account: &AccountStatus) -> (String, String) {
    let kind = problem_kind(problem.kind);
    let refused = account.operations.iter().filter(|of| of.authorized == Some(false));
    let actions: Vec<&str> = refused.map(|of| &*of.action).collect();
    let actions = actions.join("、");
    let skew = account.clock_skew_seconds.unwrap_or_default();
    match problem.kind {
        ProblemKind::NoCredentials | ProblemKind::CredentialsRefused => {
            (kind.to_owned(), "请检查 accounts[].credentials".to_owned())
        }
        ProblemKind::CredentialsEnded | ProblemKind::CredentialsEnding => (
            format!("{kind}，且没有取得新的凭据"),
            "请检查 accounts[].credentials 的来源和本机时钟".to_owned(),
        ),
        ProblemKind::CredentialsNotRenewed => {
            (kind.to_owned(), "请在当前凭据过期前排除故障；程序会持续重试".to_owned())
        }
        ProblemKind::NotAuthorized => (
            format!("{kind}：{actions}"),
            format!(
                "请为 RAM 用户或角色授予 {actions}；aliyun-task-exporter doctor 会列出所需的权限策略"
            ),
        ),
        ProblemKind::Clock => {
            let side = if skew > 0.0 { "慢" } else { "快" };
            (
                format!("本机时钟比阿里云{side} {:.0} 秒", skew.abs()),
                "请校准本机时钟：与阿里云相差超过 15 分钟的请求会被拒绝".to_owned(),
            )
        }
        ProblemKind::Throttled => (
            kind.to_owned(),
            "请检查是否有其他程序占用该账号的 API 配额，或向阿里云申请提升配额，或在多个实例之间分配 accounts[].quotas"
                .to_owned(),
        ),
    }
}

/// How the cloud throttles a budget.
fn throttled(budget: &Budget, now: Timestamp) -> Option<String> {
    let time = |at: Timestamp| clock(at, now);
    let rests = budget.resting.as_ref().map(|RestingStatus { since, until, code }| {
        let next = match *until < now {
            true => "下次调用时重试".to_owned(),
            false => format!("{} 重试", time(*until)),
        };
        format!("自 {} 起被拒绝（{code}），{next}", time(*since))
    });
    let lowered = budget.lowered.as_ref().map(|LoweredStatus { since, code, retry_at, .. }| {
        let retry = match rests.is_some() {
            true => String::new(),
            false if *retry_at <= now => format!("，自 {} 起尝试调高", time(*retry_at)),
            false => format!("，{} 尝试调高", time(*retry_at)),
        };
        format!(
            "被拒绝（{code}）后，自 {} 起由每分钟 {} 次降为 {} 次{retry}",
            time(*since),
            budget.quota_per_minute,
            budget.budget_per_minute
        )
    });
    let said: Vec<String> = rests.into_iter().chain(lowered).collect();
    let needed = calls(budget.planned_per_minute);
    (!said.is_empty()).then(|| format!("{}；需要 {needed} 次", said.join("；")))
}

/// Some of all targets.
fn of_targets(count: usize, all: usize) -> String {
    format!("{} 个监控目标中有 {} 个", grouped(all), grouped(count))
}

pub(super) static TEXTS: Texts = Texts {
    html_lang: "zh-CN",
    own_name: "中文",
    comma: "、",
    colon: "：",
    stop: "。",
    in_brackets: |text, more| format!("{text}（{more}）"),
    and_more: |names, more| format!("{names} 等，另有 {} 个", grouped(more)),
    seconds: "秒",
    minutes: "分钟",
    hours: "小时",
    days: "天",
    just_now: "刚刚",
    ago: "{}前",
    within: "{}后",
    overdue: "已超时 {}",
    due: "即将开始",
    connection_lost: "自 {} 起与 exporter 失去连接。当前显示的是旧数据，距今 ",
    connection_lost_title: "连接已断开",
    not_while_selected: "选中文字时不更新。当前显示的是旧数据，距今 ",
    paused_for: "已暂停更新。当前显示的是旧数据，距今 ",
    pause: "暂停更新",
    resume: "继续更新",
    lists_changed: "列表有 {} 处增减，点击显示最新列表",
    skip: "跳到状态",
    up: "已运行",
    built_from: "构建自",
    metrics: "指标",
    configuration: "配置",
    healthy: "存活",
    ready: "就绪",
    documentation: "文档",
    no_script: "未启用 JavaScript，页面不会自动更新。",
    refresh: "刷新",
    updated: "更新于",
    oldest_data: "最旧的数据读取于",
    more_checks: |count| format!("另有 {} 项检查需要关注", grouped(count)),
    overview: "概览",
    lists_of: "列表",
    attention: "需要关注",
    target: "监控目标",
    targets: "监控目标",
    polls: "轮询",
    account: "账号",
    accounts: "账号",
    region: "地域",
    server: "服务器",
    servers: "服务器",
    node: "节点",
    nodes: "节点",
    task: "任务",
    tasks: "E-HPC 任务",
    command: "命令",
    commands: "E-HPC 命令",
    invocations: "轻量应用服务器命令执行",
    invocations_are: "执行中的在前，其次是最新的",
    jobs: "按命令名称",
    jobs_are: "最近一次执行的结果",
    series: "时间序列",
    lists: "阿里云的列表",
    exporter: "Exporter",
    api_calls: "API 调用",
    running: "执行中",
    running_is: "时间最长的在前",
    failed_lately: "24 小时内失败",
    failed_is: "最新的在前；主动取消或终止的不算失败",
    kind: |kind| match kind {
        Kind::EhpcTasks => "E-HPC 任务",
        Kind::EhpcInvocations => "E-HPC 命令",
        Kind::SwasInvocations | Kind::SwasRegion => "轻量应用服务器命令执行",
        Kind::Discovery => "自动发现",
    },
    word,
    unknown_word: "此版本不认识的取值",
    reason,
    reason_advice: |reason| Some(advice(reason)),
    none: "无",
    state: "状态",
    status: "状态",
    region_account: "地域、账号",
    region_quota: "地域、配额",
    data: "数据",
    next_poll: "下次轮询",
    work: "执行情况",
    what: "内容",
    place: "位置",
    progress: "进度",
    last_step: "上一步",
    seen_for: "时长",
    errors: "错误数",
    exit_code: "退出码",
    exit_codes: "退出码",
    codes: "退出码和错误码",
    ended_at: "结束时间",
    created: "创建时间",
    started: "开始于",
    ran_for: "执行时长",
    last_status: "最近状态",
    last_success: "最近成功",
    interval: "执行间隔",
    credentials: "凭据",
    clock: "本机时钟",
    operation: "接口",
    operations: "接口",
    planned_per_minute: "每分钟计划调用",
    calls_since_start: "启动以来的调用",
    not_ok: "未成功",
    field: "字段",
    quota: "配额",
    search: "搜索",
    search_for: "搜索内容",
    search_hint: "名称或 ID",
    clear: "清除",
    any: "不限",
    kind_label: "类型",
    sort: "排序",
    default_order: "按名称",
    sort_name: "按名称",
    sort_region: "按地域",
    sort_state: "最差的在前",
    sort_work: "失败最多的在前",
    sort_age: "数据最旧的在前",
    sort_series: "时间序列最多的在前",
    has_running: "有执行中的",
    has_failed: "24 小时内有失败",
    pages: "分页",
    first_page: "首页",
    previous_page: "上一页",
    next_page: "下一页",
    last_page: "末页",
    page_of: |page, pages| format!("第 {} 页，共 {} 页", grouped(page), grouped(pages)),
    of_all: |count, all| format!("{} 个中的 {} 个", grouped(all), grouped(count)),
    all_of: |count| format!("显示全部 {} 条", grouped(count)),
    more: |count| format!("另有 {} 条", grouped(count)),
    not_shown: |count| format!("另有 {} 条未在此显示：", grouped(count)),
    no_match: "没有符合条件的结果。",
    state_up: "正常",
    state_down: "失败",
    state_waiting: "等待中",
    state_stale: "数据过旧",
    state_troubled: "需要关注",
    withdrawn: "已停止导出",
    none_yet: "暂无",
    none_before_first: "首次轮询前暂无",
    entries_missing: |count| format!("列表不完整：缺少 {} 条", grouped(count as usize)),
    discovered: |things, found, taken| {
        let things = match things {
            "clusters" => "集群",
            "servers" => "服务器",
            _ => "地域",
        };
        match found == taken {
            true => format!("发现 {} 个{things}", grouped(found)),
            false => format!("发现 {} 个{things}，采用 {} 个", grouped(found), grouped(taken)),
        }
    },
    left_out: |count, part| {
        let part = match part {
            "per_node" => "按节点",
            "ended" => "已结束的",
            "open" => "执行中的",
            other => other,
        };
        format!("省略 {} 条（{part}）", grouped(count))
    },
    count_running: |count| format!("{} 个执行中", grouped(count)),
    count_failed: |count| format!("{} 个失败", grouped(count)),
    failing_for: "已持续失败",
    last_failure: "上次失败",
    kept_found: "之前发现的资源仍在轮询。",
    nothing_found: "尚未发现任何资源。",
    kept_shown: "最近一次成功读取的值仍在显示和导出。",
    kept_withdrawn: "最近一次成功读取的值过旧，已停止导出。",
    kept_none: "还没有任何值。",
    standing: |state, running, failed| {
        format!("{state}，{} 个执行中，24 小时内 {} 个失败", grouped(running), grouped(failed))
    },
    all_fresh: |all| match all {
        1 => "监控目标的数据是最新的".to_owned(),
        _ => format!("全部 {} 个监控目标的数据都是最新的", grouped(all)),
    },
    no_targets: "没有监控目标：配置中没有指定",
    targets_fail: |count, all, names| format!("{}失败：{names}", of_targets(count, all)),
    too_old: |count, all, names| format!("{}的数据过旧，不再显示：{names}", of_targets(count, all)),
    lists_incomplete: |count, all, names| {
        format!("{}的列表不完整：{names}", of_targets(count, all))
    },
    without_values: |count| format!("其中 {} 个没有最新的值", grouped(count)),
    waiting: |count, all| format!("{}在等待首次轮询", of_targets(count, all)),
    lists_whole: "所有列表都已完整读取",
    accounts_well: "所有账号都已登录",
    account_is: |name, problems| format!("账号 {name}：{problems}"),
    operation_in: |operation, region| format!("{region} 的 {operation}"),
    said_of: |what, said| format!("{what}：{said}"),
    more_accounts: |count| format!("另有 {} 个账号异常", grouped(count)),
    more_budgets: |count| format!("另有 {} 项配额被调低或不足", grouped(count)),
    targets_above: |count| {
        format!(
            "{} 个监控目标仅不可省略的时间序列就已超过 metrics.max_series_per_target",
            grouped(count)
        )
    },
    open_left_out: |count| {
        format!(
            "{} 个监控目标有执行中的任务、命令或命令执行未出现在 /metrics 中：请调大 metrics.max_series_per_target 或 metrics.max_series",
            grouped(count)
        )
    },
    calls_planned: |planned, share| {
        format!("计划每分钟 {} 次，占最紧张配额的 {:.0} %", calls(planned), share * 100.0)
    },
    throttled,
    quota_too_small: |what, planned, quota| {
        format!(
            "{what} 每分钟需要 {} 次调用，而配额只允许 {} 次：轮询会比计划的晚",
            calls(planned),
            calls(quota)
        )
    },
    series_of: |shown, limit| format!("{} 条，上限 {} 条", grouped(shown), grouped(limit)),
    series_above: |shown, limit| {
        format!(
            "/metrics 有 {} 条时间序列，超过了 metrics.max_series 的 {} 条：仅计数器、按状态的计数和各命令最近一次执行就已超过，\
             而这些不会省略",
            grouped(shown),
            grouped(limit)
        )
    },
    series_left_out: |series, targets| {
        format!(
            "{} 个监控目标的 {} 条时间序列未出现在 /metrics 中：请调大 metrics.max_series_per_target 或 metrics.max_series，\
             或缩小窗口",
            grouped(targets),
            grouped(series)
        )
    },
    stuck: |count| format!("{} 个任务一小时没有进入下一步", grouped(count)),
    not_run: |count, names| format!("{} 个作业原本定期执行，现已停止执行：{names}", grouped(count)),
    job_on: |job, server| format!("{server} 上的 {job}"),
    have_failed: |count, mended| match mended {
        0 => format!("24 小时内有 {} 个失败", grouped(count)),
        _ => format!(
            "24 小时内有 {} 个失败；另有 {} 个失败后已成功",
            grouped(count),
            grouped(mended)
        ),
    },
    runs: |all, [tasks, commands, invocations]| match all {
        0 => "没有执行中的任务和命令".to_owned(),
        _ => format!(
            "{} 个任务，{} 个命令，{} 次命令执行",
            grouped(tasks),
            grouped(commands),
            grouped(invocations)
        ),
    },
    none_failed: |mended| match mended {
        0 => "24 小时内没有失败".to_owned(),
        _ => format!("24 小时内失败过的 {} 个，之后都已成功", grouped(mended)),
    },
    unknown_words_met: |count| format!("阿里云返回了 {} 个此版本不认识的取值", grouped(count)),
    exporter_well: "配置已生效",
    stands_by: "备用：由另一个实例负责轮询",
    stands_by_until: "本实例不调用阿里云，也不显示阿里云的数据；另一个实例结束后会接替",
    no_attention: "没有需要关注的问题。",
    unsaved: |why| format!("状态没有保存，重启后会回到之前保存的状态：{why}"),
    not_in_force: |problems| format!("更改后的配置未生效，仍在使用之前的配置：{problems}"),
    nothing_runs: "没有执行中的任务和命令。",
    nothing_failed: "24 小时内没有失败。",
    no_tasks: "没有任务。",
    no_commands: "没有命令。",
    no_invocations: "没有命令执行。",
    no_nodes: "还没有节点信息。",
    no_step: "没有进入下一步已有 ",
    overdue_job: "到期未执行",
    guess: "估算结束时间：",
    guess_is: "仅为估算：假设每一步的用时与已观察到的相同。",
    ended: "结束于",
    ended_unwatched: "结束时未被观察到",
    failed_with_code: "退出码表示失败",
    succeeded_since: "之后已成功",
    not_read_yet: "尚未读取",
    not_ended_yet: "尚无已结束的执行",
    every: "每",
    count_nodes: |count| format!("{} 个节点", grouped(count as usize)),
    count_errors: |count| format!("{} 个错误", grouped(count as usize)),
    exits_unknown: |count| format!("{} 个未知", grouped(count as usize)),
    failed_on_nodes: |failed, all| format!("{} 个节点中 {} 个失败", grouped(all), grouped(failed)),
    others_on_servers: |count| format!("另有 {} 次，见各服务器的页面。", grouped(count)),
    cluster_is: |name, standing| format!("集群 {name}：{standing}"),
    server_is: |name, standing| format!("服务器 {name}：{standing}"),
    nodes_are: |id, status| format!("命令 {id}：{status}"),
    region_is: |id| format!("地域 {id}"),
    no_cluster: |id| format!("没有集群 {id}"),
    no_server: |id| format!("没有服务器 {id}"),
    no_region: |id| format!("地域 {id} 中没有监控目标"),
    no_command: |name| format!("没有命令 {name}"),
    command_is: |name, failing, all| match failing {
        0 => format!("命令 {name}：{} 台服务器上均未失败", grouped(all)),
        _ => format!("命令 {name}：{} 台服务器中有 {} 台失败", grouped(all), grouped(failing)),
    },
    absent_because: "它可能已被删除，已超出显示窗口，在 exporter 启动后尚未被发现，或由另一个实例轮询。",
    search_it: "搜索",
    to_overview: "显示全部",
    problem_kind,
    problem,
    logged_in: "已登录",
    expired: "已过期：",
    expire: "过期时间：",
    never_expire: "永不过期",
    expire_untold: "过期时间未知",
    in_sync: "一致",
    authorized: "已授权",
    not_called: "尚未调用",
    more_of_accounts: "更多账号",
    behind: |duration| format!("慢 {duration}"),
    ahead: |duration| format!("快 {duration}"),
    not_authorized_for: |count| format!("对 {} 个监控目标无权限", grouped(count)),
    count_not_authorized: |count| format!("{count} 个无权限"),
    count_not_called: |count| format!("{count} 个尚未调用"),
    authorized_of: |count, all| format!("{all} 个中 {count} 个已授权"),
    api_budget: "API 调用预算",
    api_budget_is: "监控目标每分钟需要的调用次数，以及允许的次数",
    more_of_api_budget: "更多 API 调用预算",
    no_calls: "没有对阿里云的调用。",
    more_than_quota: "超过配额：轮询会比计划的晚",
    number_of: |part, all| format!("{part} / {all}"),
    waited: |seconds| format!("累计等待 {} 秒", grouped(seconds)),
    a_minute: |number| format!("每分钟 {number} 次"),
    outcome: |outcome| {
        let known = Reason::ALL.into_iter().find(|it| it.label() == outcome);
        known.map_or_else(|| outcome.to_owned(), |known| reason(known).to_owned())
    },
    unknown_words: "不认识的取值",
    unknown_words_are: "出现在阿里云的响应中；在 /metrics 中显示为 unknown",
    unknown_words_word: "取值",
    missing_word: "（缺失或为空）",
};
