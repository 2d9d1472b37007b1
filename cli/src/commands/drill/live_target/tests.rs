//! Tests of the selection of victims, and of the checks before a drill.

use std::collections::BTreeMap;

use super::*;
use crate::failure::Message;

fn row(host: &str, status: &str, cloud: Option<&str>) -> HostRow {
    let labels = cloud.map(|cloud| (CLOUD_LABEL.to_owned(), cloud.to_owned()));
    HostRow {
        host: host.to_owned(),
        lattice: Some("prod".to_owned()),
        id: Some(format!("h{host}")),
        status: status.to_owned(),
        version: String::new(),
        labels: labels.into_iter().collect::<BTreeMap<_, _>>(),
        http: None,
        admin: None,
        uptime_s: None,
        apps: 1,
        components: 1,
        pool_instances_max: None,
        compilations: None,
        artifacts_bytes: None,
        code_bytes: None,
        running: 0,
        notes: Vec::new(),
    }
}

fn rows() -> Vec<HostRow> {
    vec![
        row("north", "ready", Some("a")),
        row("south", "ready", Some("b")),
        row("west", "ready", Some("b")),
    ]
}

fn options(fault: Fault, host: Option<&str>, cloud: Option<&str>) -> LiveOptions {
    LiveOptions {
        fault,
        host: host.map(|host| host.parse().unwrap()),
        cloud: cloud.map(str::to_owned),
        probes: Vec::new(),
        confirmed: None,
        duration: Duration::from_secs(15),
    }
}

fn text(failure: &Failure) -> String {
    let messages = failure.messages().iter();
    let texts = messages.map(|message| match message {
        Message::Plain(plain) => format!("{plain:?}"),
        Message::Formatted(text) => text.clone(),
    });
    texts.collect()
}

fn member(name: &str) -> Member {
    Member {
        name: name.to_owned(),
        client: Client::new("127.0.0.1:1", ""),
    }
}

#[test]
fn victims_are_one_host_by_name_or_all_hosts_of_a_cloud() {
    let rows = rows();
    let selected = |options: &LiveOptions| select(options, &rows).unwrap();
    assert_eq!(selected(&options(Fault::KillHost, None, None)), None);
    let south = options(Fault::StopHost, Some("south"), None);
    assert_eq!(selected(&south), Some(vec![1]));
    let cloud = options(Fault::LoseCloud, None, Some("b"));
    assert_eq!(selected(&cloud), Some(vec![1, 2]));
    let nowhere = options(Fault::LoseCloud, None, Some("z"));
    let refused = select(&nowhere, &rows).unwrap_err();
    assert_eq!(refused.kind(), Kind::Input);
    let refused = text(&refused);
    assert!(refused.contains("`cloud=z`"), "{refused}");
    assert!(refused.contains("`a`, `b`"), "{refused}");
    let missing = options(Fault::KillHost, Some("east"), None);
    let refused = text(&select(&missing, &rows).unwrap_err());
    assert!(refused.contains("there is no host `east`"), "{refused}");
}

#[test]
fn a_drill_needs_ready_hosts_and_running_components() {
    assert_eq!(name_of(&rows()).unwrap(), "prod");
    assert!(check_ready("prod", &rows()).is_ok());
    for status in ["suspected", "frozen", "draining", "joining"] {
        let mut rows = rows();
        rows[1].status = status.to_owned();
        let refused = text(&check_ready("prod", &rows).unwrap_err());
        assert!(
            refused.contains(&format!("`south` is {status}")),
            "{refused}"
        );
    }
    let mut idle = rows();
    for row in &mut idle {
        row.components = 0;
    }
    let refused = text(&check_ready("prod", &idle).unwrap_err());
    assert!(refused.contains("no component runs"), "{refused}");
    let mut alone = rows();
    alone[0].lattice = None;
    let refused = name_of(&alone[..1]).unwrap_err();
    assert_eq!(refused.kind(), Kind::Input);
    assert!(text(&refused).contains("-f FILE"));
}

#[test]
fn hosts_with_the_same_address_are_refused() {
    let members = [member("north"), member("south")];
    let reported = |south: &str| [Some("0.0.0.0:8080".to_owned()), Some(south.to_owned())];
    let found = distinct_addresses(&members, &reported("10.0.0.7:8080")).unwrap();
    let found: Vec<_> = found.into_iter().flatten().collect();
    let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["http://127.0.0.1:8080", "http://10.0.0.7:8080"]);
    for south in ["0.0.0.0:8080", "127.0.0.1:8080"] {
        let refused = distinct_addresses(&members, &reported(south)).unwrap_err();
        assert!(text(&refused).contains("--probe"), "{south}");
    }
    let none = distinct_addresses(&members, &[None, None]).unwrap();
    assert_eq!(none, [None, None]);
}
