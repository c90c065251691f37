//! The one table of the cloud's operations, and their names.
//!
//! Where every operation needs something of its own (a decoder, a cost, a probe), a `match` on
//! [`Action`] has no `_` arm, so the compiler points to each place that a new row needs.

use std::fmt;

/// A product of Alibaba Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// E-HPC, API version 2018-04-12.
    Ehpc,
    /// Simple Application Server, API version 2020-06-01.
    Swas,
}

impl Product {
    /// Every product.
    pub const ALL: [Self; 2] = [Self::Ehpc, Self::Swas];

    /// The `product` label, and the name in `quotas`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ehpc => "EHPC",
            Self::Swas => "SWAS",
        }
    }

    /// Prefix of its RAM actions.
    pub fn ram_prefix(self) -> &'static str {
        match self {
            Self::Ehpc => "ehpc",
            Self::Swas => "swas-open",
        }
    }

    /// `Version` parameter of its requests.
    pub fn version(self) -> &'static str {
        match self {
            Self::Ehpc => "2018-04-12",
            Self::Swas => "2020-06-01",
        }
    }

    /// HTTP method. E-HPC's metadata allow only GET; the vendor's SDKs call SWAS by POST.
    pub fn method(self) -> &'static str {
        match self {
            Self::Ehpc => "GET",
            Self::Swas => "POST",
        }
    }

    /// Default budget of an operation, in calls per minute. SWAS: 60 % of the published 1000. E-HPC
    /// publishes none: a guess far below the gateway's default.
    pub fn default_quota(self) -> u32 {
        match self {
            Self::Ehpc => 300,
            Self::Swas => 600,
        }
    }

    /// Its operations.
    pub fn actions(self) -> impl Iterator<Item = Action> {
        Action::ALL.iter().copied().filter(move |action| action.product() == self)
    }
}

/// Calls a macro with the table of operations. A row has the product, the operation's name in the
/// API, its type in `aliyun::op` (also its variant of [`Action`]), and the type of its answer. Rows
/// are sorted by product and name; operations are shown in this order.
macro_rules! operations {
    ($declare:ident) => {
        $declare! {
            Ehpc.ListClusters(ListClusters) -> Page<DirectoryEntry>,
            Ehpc.ListCommands(ListCommands) -> Page<Command>,
            Ehpc.ListInvocationResults(ListInvocationResults) -> Page<NodeResult>,
            Ehpc.ListInvocationStatus(ListInvocationStatus) -> NodeStatuses,
            Ehpc.ListRegions(EhpcListRegions) -> Page<Arc<str>>,
            Ehpc.ListTasks(ListTasks) -> Page<Task>,
            Swas.DescribeCommandInvocations(DescribeCommandInvocations) -> Page<CommandInvocation>,
            Swas.DescribeInvocationResult(DescribeInvocationResult) -> InvocationResult,
            Swas.DescribeInvocations(DescribeInvocations) -> Page<Invocation>,
            Swas.ListInstances(ListInstances) -> Page<DirectoryEntry>,
            Swas.ListRegions(SwasListRegions) -> Page<Arc<str>>,
        }
    };
}
pub(crate) use operations;

/// Declares [`Action`].
macro_rules! actions {
    ($($product:ident.$action:ident($name:ident) -> $answer:ty),+ $(,)?) => {
        /// An operation, without its parameters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = concat!("`", stringify!($product), ".", stringify!($action), "`.")] $name,)+
        }

        impl Action {
            /// Every operation, by product and name.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The product it belongs to.
            pub fn product(self) -> Product {
                match self { $(Self::$name => Product::$product,)+ }
            }

            /// Its name: the `Action` parameter of a request, and the `operation` label.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($action),)+ }
            }
        }
    };
}

operations!(actions);

impl Action {
    /// The RAM action that allows it, such as `ehpc:ListTasks`.
    pub fn ram_action(self) -> String {
        format!("{}:{}", self.product().ram_prefix(), self.name())
    }
}

/// `EHPC.ListTasks`, as in `quotas`.
impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.product().label(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn the_table_is_in_order_of_product_and_name() {
        assert!(Action::ALL.is_sorted_by_key(|action| (action.product(), action.name())));
    }
}
