use crate::builder::{Compiled, Job, Language};
use crate::error::BuildError;

#[derive(Debug)]
pub(crate) struct Go;

impl Language for Go {
    fn fixed_inputs(&self) -> String {
        "go 1".into()
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        Err(BuildError::Layout { tool: job.spec.name.to_string(), problem: "no builder".into(), hint: String::new() })
    }
}

#[derive(Debug)]
pub(crate) struct TinyGo;

impl Language for TinyGo {
    fn fixed_inputs(&self) -> String {
        "go 1".into()
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        Err(BuildError::Layout { tool: job.spec.name.to_string(), problem: "no builder".into(), hint: String::new() })
    }
}
