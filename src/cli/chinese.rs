//! `--help` in Chinese, where the locale is Chinese.

use clap::{Arg, ArgAction, Command};

/// Key of the root command in [`TEXTS`].
const ROOT: &str = "aliyun-task-exporter";

/// Help texts by command or flag. The key of a flag that means something else in one command starts
/// with that command's name.
const TEXTS: &[(&str, &str)] = &[
    (ROOT, "阿里云 E-HPC 任务、命令和轻量应用服务器命令执行的 Prometheus exporter"),
    ("serve", "轮询阿里云并提供 /metrics；不写命令时默认执行"),
    ("check", "读取配置，列出将要轮询的目标；有问题时退出码为 2"),
    ("doctor", "在每个账号和地域对配置所需的每个操作各试调一次，并说明失败的原因和处理办法"),
    ("healthcheck", "询问本机的 exporter 是否就绪，供容器的健康检查使用；未就绪时退出码为 1"),
    ("demo", "无需账号即可试用：在同一进程中运行模拟的阿里云和轮询它的 exporter"),
    (
        "simulate",
        "只运行模拟的阿里云：E-HPC、轻量应用服务器、STS，以及可用于登录的 ECS 元数据服务；GET / 有说明",
    ),
    ("catalog", "输出 docs/metrics.md：全部指标及其类型、标签和含义"),
    ("config.file", "配置文件"),
    ("ehpc.cluster", "要轮询的 E-HPC 集群，例如 cn-hangzhou/ehpc-hz-FYUr32aaaa；可重复"),
    ("swas.server", "要轮询的轻量应用服务器；可重复"),
    (
        "account.endpoint",
        "第一个账号访问 E-HPC、轻量应用服务器和 STS 时使用的 URL，代替阿里云的接入地址，例如 simulate 的地址；{region} 会被替换为地域",
    ),
    (
        "shard.index",
        "本进程在共同分担目标的各进程中的编号，从 0 开始；ordinal：取 HOSTNAME 末尾的编号，与 StatefulSet 的 Pod 一致",
    ),
    ("shard.count", "共同分担目标的进程数；各进程使用相同的配置"),
    ("web.listen-address", "监听地址：HOST:PORT，或用 :PORT 监听本机的全部地址；可重复"),
    ("demo web.listen-address", "exporter 的监听地址"),
    (
        "web.config.file",
        "Web 配置文件：TLS、客户端证书、密码、响应头和限速，格式与 Prometheus 的 exporter-toolkit 相同",
    ),
    ("web.telemetry-path", "指标的路径"),
    (
        "web.external-url",
        "从外部访问 exporter 的 URL，例如反向代理的地址：用于生成链接，其中的主机名也可用来访问",
    ),
    ("web.route-prefix", "所有路径的前缀；默认取 --web.external-url 的路径"),
    ("web.enable-lifecycle", "允许通过 POST /-/reload 重新加载配置"),
    ("config.auto-reload", "配置文件变化时自动重新加载"),
    ("log.level", "只输出这一级别及以上的日志"),
    ("log.format", "日志格式"),
    (
        "estimate",
        "改为输出预计开销：各配额的调用次数、首轮轮询所需时间、时间序列数；超出限制时退出码为 1",
    ),
    ("live", "与 --estimate 一起使用：先向阿里云查询自动发现会找到什么；查询失败时退出码为 1"),
    ("format", "结果的格式"),
    ("healthy", "询问 /-/healthy（进程是否存活），而不是 /-/ready"),
    ("timeout", "等待响应的最长时间"),
    ("sim.listen-address", "模拟的阿里云的监听地址"),
    ("listen", "监听地址"),
    ("seed", "决定全部 ID、时长和结果的随机数种子"),
    ("clusters", "E-HPC 集群数"),
    ("tasks", "每个集群同时执行的任务数"),
    ("commands", "每个集群的命令数"),
    ("nodes", "每个集群的节点数"),
    ("servers", "轻量应用服务器数"),
    ("invocations", "每台服务器列出的执行记录数"),
    ("latency", "每个响应的延迟"),
    (
        "quota",
        "每个操作在每个地域每分钟允许的调用次数，超出的调用会被限流；demo 中的 exporter 使用其中的十分之九",
    ),
    ("time-scale", "模拟的时间比真实时间快多少倍；必须大于 0"),
];

/// Whether the locale is Chinese, by the variables that POSIX defines for messages.
pub(super) fn is_wanted(env: &dyn Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| env(name).filter(|value| !value.is_empty()));
    locale.is_some_and(|locale| locale.starts_with("zh"))
}

/// The command with its help in Chinese.
pub(super) fn translated(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let commands: String = command
        .get_subcommands()
        .filter_map(|sub| Some(format!("  {:<12} {}\n", sub.get_name(), text(sub.get_name())?)))
        .collect();
    let commands = if commands.is_empty() { commands } else { format!("命令：\n{commands}\n") };
    let command = command
        .mut_args(|arg| argument(&name, arg))
        .mut_subcommands(translated)
        .disable_help_flag(true)
        .arg(Arg::new("help").short('h').long("help").action(ArgAction::Help).help("显示帮助"))
        .help_template(format!("{{about}}\n\n用法：{{usage}}\n\n{commands}选项：\n{{options}}"));
    let command = match text(&name) {
        Some(about) => command.about(about).long_about(about),
        None => command,
    };
    if name != ROOT {
        return command;
    }
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    command.disable_version_flag(true).arg(version.help("显示版本"))
}

/// Adds in Chinese what clap would add in English.
fn argument(command: &str, arg: Arg) -> Arg {
    let Some(long) = arg.get_long() else { return arg };
    let Some(text) = text(&format!("{command} {long}")).or_else(|| text(long)) else { return arg };
    let takes_value = arg.get_action().takes_values();
    let mut values: Vec<String> = Vec::new();
    let mut defaults: Vec<String> = Vec::new();
    if takes_value {
        values.extend(arg.get_possible_values().iter().map(|it| it.get_name().to_owned()));
        defaults
            .extend(arg.get_default_values().iter().map(|it| it.to_string_lossy().into_owned()));
    }
    let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
    let variables: Vec<String> = variable.into_iter().collect();
    let mut help = text.to_owned();
    for (title, of_it) in [("可选值", values), ("环境变量", variables), ("默认值", defaults)]
    {
        if !of_it.is_empty() {
            help += &format!(" [{title}：{}]", of_it.join("、"));
        }
    }
    let arg = arg.help(help.clone()).long_help(help).hide_env(true);
    match takes_value {
        true => arg.hide_default_value(true).hide_possible_values(true),
        false => arg,
    }
}

fn text(key: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(known, _)| *known == key).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Command, CommandFactory};

    use super::{TEXTS, is_wanted, text, translated};
    use crate::cli::Cli;

    fn keys(command: &Command, into: &mut BTreeSet<String>) {
        into.insert(command.get_name().to_owned());
        for arg in command.get_arguments() {
            let long = arg.get_long().expect("each has a long name");
            let own = format!("{} {long}", command.get_name());
            into.insert(if text(&own).is_some() { own } else { long.to_owned() });
        }
        for sub in command.get_subcommands() {
            keys(sub, into);
        }
    }

    #[test]
    fn every_command_and_flag_has_its_text_and_no_text_is_of_another() {
        let mut wanted = BTreeSet::new();
        keys(&Cli::command(), &mut wanted);
        let texts: BTreeSet<String> = TEXTS.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(wanted, texts);
    }

    #[test]
    fn the_help_has_defaults_and_variables_and_no_english_of_claps_own() {
        let mut command = translated(Cli::command());
        let help = command.render_long_help().to_string();
        for part in [
            "用法：aliyun-task-exporter",
            "命令：\n  serve",
            "[环境变量：ALIYUN_TASK_EXPORTER_SHARD_COUNT] [默认值：1]",
            "[可选值：logfmt、json]",
            "显示版本",
        ] {
            assert!(help.contains(part), "{part}: {help}");
        }
        for part in ["[default", "[env", "Possible", "Print", "Options:"] {
            assert!(!help.contains(part), "{part}: {help}");
        }
        let check = command.find_subcommand_mut("check").unwrap().render_long_help().to_string();
        assert!(check.contains("--estimate") && check.contains("预计开销"), "{check}");
        command.debug_assert();
    }

    #[test]
    fn it_is_chinese_where_the_locale_is() {
        let of = |set: &[(&str, &str)]| {
            is_wanted(&|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(of(&[("LANG", "zh_CN.UTF-8")]));
        assert!(of(&[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "zh_CN.UTF-8")]));
        assert!(!of(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")]));
        assert!(of(&[("LANG", "zh_CN"), ("LC_ALL", "")]));
        assert!(!of(&[]));
    }
}
