//! What a probe found, for people and as JSON. Bad news comes first.

use std::{collections::BTreeMap, fmt::Write as _};

use authwright_probe::{
    asvs::{Coverage, Standing},
    catalogue::Severity,
    report::{Finding, Report, Verdict},
};
use serde_json::{Map, Value, json};

use crate::{
    commands::Context,
    shell::ui::{BAD, DIM, GOOD, HEADING, Style, WARN, paint, printable},
};

const LEVELS: [&str; 3] = ["L1", "L2", "L3"];

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Fail => BAD,
        _ => WARN,
    }
}

/// One line for a control whose attack is done.
pub fn tell(context: &Context, finding: &Finding) {
    if !context.ui.json {
        context.ui.progress(&line(finding));
    }
}

fn line(finding: &Finding) -> String {
    let verdict = paint(style(finding.verdict), &format!("{:14}", finding.verdict.name()));
    let reason = finding.reason.lines().next().unwrap_or_default();
    let reason = if reason.is_empty() { String::new() } else { format!(": {}", printable(reason)) };
    format!("{verdict} {} {}{reason}", finding.id, finding.title)
}

pub fn report(context: &Context, report: &Report, coverage: Option<&Coverage>) {
    if context.ui.quiet {
        for finding in report.controls.iter().filter(|one| matches!(one.verdict, Verdict::Fail | Verdict::NotRun)) {
            let reason = finding.reason.lines().next().unwrap_or_default();
            context.ui.warn(&format!("{}: {}: {reason}", finding.verdict.name(), finding.id));
        }
        return;
    }
    let of = |verdict: Verdict| report.controls.iter().filter(move |finding| finding.verdict == verdict);
    let mut failed: Vec<&Finding> = of(Verdict::Fail).collect();
    failed.sort_by_key(|finding| finding.severity);
    let mut text = String::new();
    for finding in failed {
        failure(&mut text, finding);
    }
    for verdict in [Verdict::Deviation, Verdict::NotApplicable, Verdict::NotRun] {
        if of(verdict).next().is_some() {
            text.push('\n');
        }
        let mut told = "";
        for finding in of(verdict) {
            _ = writeln!(text, "{}", line(finding));
            // What stands before many controls is shown with the first of them.
            if finding.reason != told {
                for rest in finding.reason.lines().skip(1) {
                    _ = writeln!(text, "    {}", printable(rest));
                }
            }
            told = &finding.reason;
        }
    }
    _ = writeln!(text, "\n{}", table("group", by(report, |finding| group(finding).to_owned())));
    let severities = by(report, |finding| finding.severity);
    let severities = severities.into_iter().map(|(severity, counts)| (severity.name().to_owned(), counts));
    _ = write!(text, "{}", table("severity", severities.collect()));
    if let Some(coverage) = coverage {
        _ = write!(text, "\n{}", requirements(coverage));
    }
    context.ui.say(text.trim_end());
}

fn failure(text: &mut String, finding: &Finding) {
    let severity = finding.severity.name();
    _ = writeln!(text, "\n{} {} {} ({severity})", paint(BAD, "fail"), finding.id, finding.title);
    if finding.evidence.is_empty() {
        let lines = finding.reason.lines().map(|line| format!("    {}\n", printable(line)));
        text.extend(lines);
    }
    for evidence in &finding.evidence {
        _ = writeln!(text, "  not so: {}", printable(&evidence.what));
        let lines = evidence.seen.lines().map(|line| format!("    {}\n", printable(line)));
        text.extend(lines);
    }
}

fn group(finding: &Finding) -> &str {
    finding.id.split('-').next().unwrap_or_default()
}

/// How many controls have which result.
type Counts = BTreeMap<Verdict, usize>;

/// Counts under each value of `key`, in the order of the catalogue, or of the value if it has one.
fn by<K: PartialEq>(report: &Report, key: impl Fn(&Finding) -> K) -> Vec<(K, Counts)> {
    let mut all: Vec<(K, Counts)> = vec![];
    for finding in &report.controls {
        let key = key(finding);
        let at = all.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
            all.push((key, Counts::new()));
            all.len() - 1
        });
        *all[at].1.entry(finding.verdict).or_default() += 1;
    }
    all
}

const COLUMNS: [Verdict; 5] =
    [Verdict::Pass, Verdict::Fail, Verdict::Deviation, Verdict::NotApplicable, Verdict::NotRun];

fn table(head: &str, mut rows: Vec<(String, Counts)>) -> String {
    let mut all = Counts::new();
    for (verdict, count) in rows.iter().flat_map(|(_, counts)| counts) {
        *all.entry(*verdict).or_default() += count;
    }
    rows.push(("all".to_owned(), all));
    let columns = COLUMNS.map(|verdict| format!("  {}", verdict.name())).concat();
    let mut text = paint(HEADING, &format!("{head:<8}  controls{columns}"));
    text.push('\n');
    for (name, counts) in rows {
        _ = write!(text, "{name:<8}  {:>8}", counts.values().sum::<usize>());
        for verdict in COLUMNS {
            let count = counts.get(&verdict).copied().unwrap_or_default();
            let cell = format!("{count:>width$}", width = verdict.name().len());
            let bad = count > 0 && verdict != Verdict::Pass;
            _ = write!(text, "  {}", if bad { paint(style(verdict), &cell) } else { cell });
        }
        text.push('\n');
    }
    text
}

fn requirements(coverage: &Coverage) -> String {
    let mut text = paint(HEADING, "OWASP ASVS 5.0, for the attacked routes alone");
    _ = writeln!(text, " (V6, V7, V9, V10, V3.3.1 to V3.3.5, V3.5.1 to V3.5.3)");
    for standing in [Standing::NotFulfilled, Standing::NotTested, Standing::NotApplicable] {
        let style = if standing == Standing::NotFulfilled { BAD } else { WARN };
        for at in coverage.requirements.iter().filter(|at| at.standing == standing) {
            let name = paint(style, standing.name());
            _ = writeln!(text, "{name} {} ({}): {}", at.id, at.level, at.because.join(", "));
        }
    }
    for level in LEVELS {
        let counts = Standing::ALL.map(|standing| format!("{} {}", coverage.count(level, standing), standing.name()));
        _ = writeln!(text, "{level}: {}", counts.join(", "));
    }
    let owner = format!("left to the application's owner: {}", coverage.owner.join(", "));
    _ = writeln!(text, "{}", paint(DIM, &owner));
    let outside = format!("about what is not here: {} requirements", coverage.outside.len());
    _ = writeln!(text, "{}", paint(DIM, &outside));
    text
}

/// The command's JSON object. Counts of all controls stand in `summary` itself.
pub fn object(report: &Report, coverage: &Coverage) -> Value {
    let mut summary = counts(&by(report, |_| ()).pop().map(|((), counts)| counts).unwrap_or_default());
    let groups = by(report, |finding| group(finding).to_owned());
    let groups: Map<_, _> = groups.iter().map(|(name, all)| (name.clone(), counts(all).into())).collect();
    let severities = by(report, |finding| finding.severity);
    let of = |severity: Severity| severities.iter().find(|(other, _)| *other == severity).map(|(_, all)| counts(all));
    let severities: Map<_, _> = Severity::ALL
        .into_iter()
        .filter_map(|severity| Some((severity.name().to_owned(), of(severity)?.into())))
        .collect();
    summary.insert("groups".to_owned(), groups.into());
    summary.insert("severities".to_owned(), severities.into());
    summary.insert("asvs".to_owned(), asvs(coverage));
    json!({ "target": report.target, "modules": report.modules, "controls": report.controls, "summary": summary })
}

fn counts(all: &Counts) -> Map<String, Value> {
    let count = |verdict: Verdict| all.get(&verdict).copied().unwrap_or_default();
    Verdict::ALL.into_iter().map(|verdict| (verdict.name().replace(' ', "-"), count(verdict).into())).collect()
}

fn asvs(coverage: &Coverage) -> Value {
    let level = |level: &str| {
        let count = |standing: Standing| (standing.name().replace(' ', "-"), coverage.count(level, standing).into());
        (level.to_owned(), Standing::ALL.into_iter().map(count).collect::<Map<_, _>>().into())
    };
    let levels: Map<String, Value> = LEVELS.into_iter().map(level).collect();
    json!({
        "levels": levels,
        "requirements": coverage.requirements,
        "owner": coverage.owner,
        "outside": coverage.outside,
    })
}

#[cfg(test)]
mod tests {
    use authwright_probe::{
        asvs,
        test::{Evidence, Kind},
    };

    use super::*;

    fn finding(id: &str, severity: Severity, verdict: Verdict) -> Finding {
        let evidence =
            Evidence { kind: Kind::Negative, what: "it is refused".into(), seen: "GET /\u{1b}[2J\n200".into() };
        Finding {
            id: id.to_owned(),
            title: format!("title of {id}"),
            severity,
            verdict,
            reason: if verdict == Verdict::Pass { String::new() } else { format!("why {id}\nmore") },
            checks: 2,
            evidence: if verdict == Verdict::Fail { vec![evidence] } else { vec![] },
        }
    }

    fn sample() -> Report {
        let controls = vec![
            finding("PWD-01", Severity::Critical, Verdict::Pass),
            finding("PWD-06", Severity::Medium, Verdict::Deviation),
            finding("SES-08", Severity::Critical, Verdict::Fail),
            finding("SES-09", Severity::High, Verdict::NotRun),
        ];
        Report { target: ".".to_owned(), modules: vec!["password".to_owned()], controls }
    }

    #[test]
    fn a_failure_shows_what_was_seen_and_no_control_characters() {
        let mut text = String::new();
        failure(&mut text, &sample().controls[2]);
        assert!(text.contains("SES-08 title of SES-08 (critical)\n  not so: it is refused\n"), "{text}");
        assert!(text.contains("    GET /\u{fffd}[2J\n    200\n"), "{text}");
        let mut bare = sample().controls.remove(3);
        bare.verdict = Verdict::Fail;
        let mut text = String::new();
        failure(&mut text, &bare);
        assert!(text.contains("    why SES-09\n    more\n"), "{text}");
    }

    #[test]
    fn tables_count_each_control_once() {
        let text = table("group", by(&sample(), |finding| group(finding).to_owned()));
        let plain = anstream::adapter::strip_str(&text).to_string();
        let rows: Vec<Vec<&str>> = plain.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["PWD", "2", "1", "0", "1", "0", "0"]);
        assert_eq!(rows[2], ["SES", "2", "0", "1", "0", "0", "1"]);
        assert_eq!(rows[3], ["all", "4", "1", "1", "1", "0", "1"]);
    }

    #[test]
    fn the_object_has_counts_groups_and_requirements() {
        let report = sample();
        let coverage = asvs::coverage(&report.controls, &report.modules).unwrap();
        let object = object(&report, &coverage);
        assert_eq!(object["controls"][2]["result"], "fail");
        assert_eq!(object["controls"][2]["evidence"][0]["kind"], "negative");
        let summary = &object["summary"];
        assert_eq!((&summary["fail"], &summary["not-run"], &summary["pass"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!(summary["groups"]["SES"]["fail"], 1);
        assert_eq!(summary["severities"]["critical"]["pass"], 1);
        let all = summary["asvs"]["requirements"].as_array().unwrap();
        let of = |id: &str| all.iter().find(|at| at["id"] == id).unwrap();
        assert_eq!(of("V6.2.12")["result"], "not-fulfilled");
        assert_eq!(of("V6.2.12")["because"][0], "PWD-06 deviation");
        assert_eq!(of("V6.2.1")["result"], "not-tested");
        let level: u64 =
            summary["asvs"]["levels"]["L1"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(level, all.iter().filter(|at| at["level"] == "L1").count() as u64);
    }

    #[test]
    fn requirements_never_lead_with_what_is_fulfilled() {
        let report = sample();
        let coverage = asvs::coverage(&report.controls, &report.modules).unwrap();
        let text = requirements(&coverage);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert!(plain.contains("not fulfilled V6.2.12 (L2): PWD-06 deviation\n"), "{plain}");
        assert!(plain.find("not fulfilled V6.2.12") < plain.find("L1: "), "{plain}");
        assert!(!plain.contains('%'));
    }
}
