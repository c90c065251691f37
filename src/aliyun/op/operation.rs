//! Any operation with its parameters, and the answer to it.

use std::sync::Arc;

use super::clean::Clean;
use super::extent::Extent;
use super::{Decoded, Parameters, Texts, Undecoded};
use crate::action::{Action, Product, operations};
use crate::model::{
    Command, CommandInvocation, DirectoryEntry, Invocation, InvocationResult, NodeResult,
    NodeStatuses, Page, Task,
};

/// Declares [`Operation`] and [`Answer`] from the table of operations.
macro_rules! declare {
    ($($product:ident.$action:ident($name:ident) -> $answer:ty),+ $(,)?) => {
        /// An operation with its parameters.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($action), "`.")] $name(super::$name),)+
        }

        /// The answer to an operation.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Answer {
            $(#[doc = concat!("Of [`super::", stringify!($name), "`].")] $name($answer),)+
        }

        impl Operation {
            /// Which operation it is.
            pub fn action(&self) -> Action {
                match self { $(Self::$name(_) => Action::$name,)+ }
            }

            /// Its own parameters.
            pub fn parameters(&self) -> Parameters<'_> {
                match self { $(Self::$name(operation) => operation.parameters(),)+ }
            }

            /// Decodes the body of its answer.
            ///
            /// # Errors
            /// If the body is not the documented JSON, or about something else.
            pub fn decode(&self, body: &[u8]) -> Result<Decoded<Answer>, Undecoded> {
                match self {
                    $(Self::$name(operation) => {
                        let Decoded { value, unknown, unreadable, has_code, error } =
                            operation.decode(body)?;
                        let value = Answer::$name(value);
                        Ok(Decoded { value, unknown, unreadable, has_code, error })
                    })+
                }
            }
        }

        impl Answer {
            /// Whether the operation's own list or object is present and not empty.
            pub(in crate::aliyun) fn holds_something(&self) -> bool {
                match self { $(Self::$name(answer) => answer.holds_something(),)+ }
            }

            /// Notes that the answer may leave out things that exist.
            pub(in crate::aliyun) fn set_partial(&mut self) {
                match self { $(Self::$name(answer) => answer.set_partial(),)+ }
            }

            fn clean(&mut self, texts: &Texts<'_>) {
                match self { $(Self::$name(answer) => answer.clean(texts),)+ }
            }
        }

        $(impl From<super::$name> for Operation {
            fn from(operation: super::$name) -> Self {
                Self::$name(operation)
            }
        })+
    };
}

operations!(declare);

impl Operation {
    /// The product it belongs to.
    pub fn product(&self) -> Product {
        self.action().product()
    }

    /// Its name: the `Action` parameter of a request.
    pub fn name(&self) -> &'static str {
        self.action().name()
    }
}

impl Decoded<Answer> {
    /// The same answer, with the cloud's own words and texts cleaned of secrets by `clean` and then
    /// cut. Undocumented texts about failures are kept only if `keeps_all`.
    pub fn cleaned(mut self, clean: impl Fn(&str) -> String, keeps_all: bool) -> Self {
        let texts = Texts { clean: &clean, keeps_all };
        self.value.clean(&texts);
        for (_, word) in &mut self.unknown {
            *word = texts.word(word);
        }
        let error = self.error.map(|error| error.cleaned(&clean));
        Self { error, ..self }
    }
}
