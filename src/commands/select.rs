//! Which controls of the catalogue a command is about.

use anyhow::Result;
use authwright_probe::catalogue::{self, Control, Severity};

use crate::core::problem::Problem;

/// Controls by id or group, kept to some severities.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Select {
    /// Only these controls
    #[arg(long, value_name = "ID,..", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only the controls of these groups, such as SES
    #[arg(long, value_name = "GROUP,..", value_delimiter = ',')]
    pub group: Vec<String>,
    /// Only controls of these severities: critical, high, medium, low
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub severity: Vec<String>,
}

impl Select {
    pub fn is_empty(&self) -> bool {
        self.only.is_empty() && self.group.is_empty() && self.severity.is_empty()
    }

    /// The controls that were asked for, in the catalogue's order; all if nothing was.
    ///
    /// # Errors
    /// With exit 2 for an id, group or severity that does not exist, and when nothing is left.
    pub fn controls(&self) -> Result<Vec<&'static Control>> {
        let all = catalogue::all()?;
        for id in &self.only {
            if !all.iter().any(|control| control.id.eq_ignore_ascii_case(id)) {
                let what = format!("`{id}` is no control");
                return Err(Problem::usage(what, "name one such as SES-03; `authwright controls` lists them").into());
            }
        }
        for group in &self.group {
            if !all.iter().any(|control| control.prefix().eq_ignore_ascii_case(group)) {
                let fix = format!("use some of {}", groups(all).join(", "));
                return Err(Problem::usage(format!("`{group}` is no group of controls"), fix).into());
            }
        }
        let severities = self.severity.iter().map(|name| severity(name)).collect::<Result<Vec<_>>>()?;
        let named = |control: &Control| {
            (self.only.is_empty() && self.group.is_empty())
                || self.only.iter().any(|id| control.id.eq_ignore_ascii_case(id))
                || self.group.iter().any(|group| control.prefix().eq_ignore_ascii_case(group))
        };
        let fits =
            |control: &&Control| named(control) && (severities.is_empty() || severities.contains(&control.severity));
        let chosen: Vec<&Control> = all.iter().filter(fits).collect();
        if chosen.is_empty() {
            let what = "no control is all of what `--only`, `--group` and `--severity` ask for";
            return Err(Problem::usage(what, "leave one of them out").into());
        }
        Ok(chosen)
    }
}

fn groups(all: &[Control]) -> Vec<&str> {
    let mut groups: Vec<&str> = all.iter().map(Control::prefix).collect();
    groups.dedup();
    groups
}

fn severity(name: &str) -> Result<Severity> {
    let found = Severity::ALL.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(name));
    let problem = || Problem::usage(format!("`{name}` is no severity"), "use critical, high, medium or low");
    Ok(found.ok_or_else(problem)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(only: &[&str], group: &[&str], severity: &[&str]) -> Result<Vec<&'static str>, String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let select = Select { only: owned(only), group: owned(group), severity: owned(severity) };
        let chosen = select.controls().map_err(|error| error.to_string())?;
        Ok(chosen.into_iter().map(|control| control.id.as_str()).collect())
    }

    #[test]
    fn ids_and_groups_add_up_and_severities_narrow() {
        assert_eq!(select(&["ses-08", "PWD-02", "PWD-02"], &[], &[]).unwrap(), ["PWD-02", "SES-08"]);
        let red = select(&[], &["red"], &[]).unwrap();
        assert_eq!(red, ["RED-01", "RED-02", "RED-03"]);
        assert_eq!(select(&["PWD-02"], &["RED"], &["high"]).unwrap(), ["PWD-02", "RED-01", "RED-03"]);
        assert_eq!(select(&[], &[], &[]).unwrap().len(), catalogue::all().unwrap().len());
        assert!(select(&[], &[], &["critical"]).unwrap().contains(&"SES-08"));
    }

    #[test]
    fn what_does_not_exist_is_named() {
        assert!(select(&["SES-99"], &[], &[]).unwrap_err().contains("SES-99"));
        assert!(select(&[], &["SESS"], &[]).unwrap_err().contains("SESS"));
        assert!(select(&[], &[], &["severe"]).unwrap_err().contains("severe"));
        assert!(select(&["SES-08"], &[], &["low"]).unwrap_err().contains("no control"));
    }
}
