use crate::builder::{Compiled, Job, Language};
use crate::error::BuildError;

#[derive(Debug)]
pub(crate) struct JavaScript;

impl Language for JavaScript {
    fn fixed_inputs(&self) -> String {
        "javascript 1".into()
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        Err(BuildError::Layout { tool: job.spec.name.to_string(), problem: "no builder".into(), hint: String::new() })
    }
}
