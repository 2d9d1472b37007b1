use super::*;

const NATS: &str = "nats://10.0.0.1:4222";
const OTHER: &str = "nats://10.0.0.2:4222";

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn servers(server: &str) -> Settings {
    Settings {
        nats: vec![server.to_owned()],
        ..Settings::default()
    }
}

fn lattice(name: &str) -> Settings {
    Settings {
        lattice: text(name),
        ..Settings::default()
    }
}

fn admin(address: &str) -> Settings {
    Settings {
        admin: text(address),
        ..Settings::default()
    }
}

fn data_dir(path: &str) -> Settings {
    Settings {
        data_dir: Some(path.into()),
        ..Settings::default()
    }
}

/// The contexts `prod`, a lattice, and `local`, a host; the first is in use.
fn find(name: Option<&str>) -> Result<Option<NamedContext>, Failure> {
    let name = name.unwrap_or("prod");
    let settings = match name {
        "local" => data_dir("/local"),
        _ => Settings {
            lattice: text("prod"),
            nats_creds: Some("/prod.creds".into()),
            ..servers(NATS)
        },
    };
    Ok(Some((name.to_owned(), settings)))
}

/// The selection in a line: its source, the host or lattice, and the login.
fn shown(selection: &Selection) -> String {
    let source = match &selection.source {
        Source::CommandLine => "line".to_owned(),
        Source::Environment(variable) => (*variable).to_owned(),
        Source::Context(name) => format!("context {name}"),
        Source::Default => "default".to_owned(),
    };
    let target = match &selection.target {
        Target::Host { admin, data_dir } => {
            let data_dir = data_dir.as_ref().map(|path| path.display().to_string());
            let parts = [admin.clone(), data_dir].map(|part| part.unwrap_or("-".to_owned()));
            format!("host {}", parts.join(" "))
        }
        Target::Lattice(LatticeTarget { name, nats }) => {
            let login = match &nats.login {
                None => "-".to_owned(),
                Some(Login::Password { user, password }) => format!("{user}:{password}"),
                Some(Login::Credentials(path)) => path.display().to_string(),
                Some(login) => login.form().to_owned(),
            };
            format!("lattice {name} {} {login}", nats.servers.join(","))
        }
    };
    format!("{source}: {target}")
}

#[track_caller]
fn check(line: Settings, variables: Settings, expected: &str) {
    check_named((None, line), (None, variables), expected);
}

#[track_caller]
fn check_named(
    line: (Option<&str>, Settings),
    variables: (Option<&str>, Settings),
    expected: &str,
) {
    let given = |(context, settings): (Option<&str>, Settings)| Given {
        context: context.map(str::to_owned),
        settings,
    };
    let selection = select(given(line), given(variables), find).unwrap();
    assert_eq!(shown(&selection), expected);
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_context_in_use() {
    let none = Settings::default;
    check(
        none(),
        none(),
        "context prod: lattice prod nats://10.0.0.1:4222 /prod.creds",
    );
    check(
        none(),
        servers(OTHER),
        "WEFT_NATS: lattice default nats://10.0.0.2:4222 -",
    );
    check(none(), admin("a:1"), "WEFT_ADMIN: host a:1 -");
    check(none(), data_dir("/data"), "WEFT_DATA_DIR: host - /data");
    check(admin("a:1"), servers(OTHER), "line: host a:1 -");
    check(data_dir("/data"), servers(OTHER), "line: host - /data");
    check(
        servers(NATS),
        admin("a:1"),
        "line: lattice default nats://10.0.0.1:4222 -",
    );
    check(
        servers(NATS),
        servers(OTHER),
        "line: lattice default nats://10.0.0.1:4222 -",
    );
    check(admin("a:1"), data_dir("/data"), "line: host a:1 /data");
    check(data_dir("/data"), admin("a:1"), "line: host a:1 /data");
}

#[test]
fn without_a_context_and_settings_it_is_the_default_host() {
    let (line, variables) = (Given::default(), Given::default());
    let selection = select(line, variables, |_| Ok(None)).unwrap();
    assert_eq!(shown(&selection), "default: host - -");
}

#[test]
fn single_settings_override_those_of_the_context_in_use() {
    let none = Settings::default;
    let other = "context prod: lattice other nats://10.0.0.1:4222 /prod.creds";
    check(lattice("other"), none(), other);
    check(none(), lattice("other"), other);
    check(lattice("other"), lattice("third"), other);
    let user = Settings {
        nats_user: text("north"),
        ..Settings::default()
    };
    let password = Settings {
        nats_password: text("secret"),
        ..Settings::default()
    };
    let north = "context prod: lattice prod nats://10.0.0.1:4222 north:secret";
    check(user, password, north);
}

#[test]
fn a_context_that_the_command_line_names_goes_before_the_environment() {
    let none = Settings::default;
    let prod = "context prod: lattice prod nats://10.0.0.1:4222 /prod.creds";
    let variables = Settings {
        lattice: text("other"),
        ..servers(OTHER)
    };
    check_named((Some("prod"), none()), (None, variables), prod);
    check_named((Some("prod"), none()), (Some("local"), none()), prod);
    let local = "context local: host - /local";
    check_named((Some("local"), none()), (None, admin("a:1")), local);
    check_named((None, none()), (Some("local"), none()), local);
    // The variable of the context replaces the context in use, and no other variable.
    check_named(
        (None, none()),
        (Some("local"), admin("a:1")),
        "WEFT_ADMIN: host a:1 -",
    );
}

#[test]
fn the_login_and_lattice_of_the_environment_apply_to_servers_on_the_command_line() {
    let variables = Settings {
        nats_creds: Some("/env.creds".into()),
        ..lattice("prod")
    };
    let expected = "line: lattice prod nats://10.0.0.1:4222 /env.creds";
    check(servers(NATS), variables.clone(), expected);
    let in_address = "nats://north:secret@10.0.0.1:4222";
    let expected = "line: lattice prod nats://north:secret@10.0.0.1:4222 -";
    check(servers(in_address), variables, expected);
}

#[test]
fn a_variable_for_another_purpose_stops_no_command() {
    let variables = Settings {
        nats_user: text("north"),
        nats_token: text("secret"),
        nats_cert: Some("/cert.pem".into()),
        ..lattice("prod")
    };
    check(admin("a:1"), variables.clone(), "line: host a:1 -");
    let joined = select_to_join(Settings::default(), variables.clone());
    assert_eq!(joined.unwrap(), None);
    // With servers, two logins cannot both be meant.
    let joined = select_to_join(servers(NATS), variables);
    assert!(format!("{:?}", joined.unwrap_err()).contains("two logins"));
}

#[test]
fn a_host_joins_the_lattice_of_the_environment() {
    let variables = Settings {
        lattice: text("prod"),
        admin: text("a:1"),
        ..servers(NATS)
    };
    let joined = select_to_join(Settings::default(), variables.clone());
    let joined = joined.unwrap().unwrap();
    assert_eq!(
        (joined.name.as_str(), &joined.nats.servers),
        ("prod", &variables.nats)
    );
}

#[test]
fn an_option_without_servers_is_refused_and_a_variable_is_not() {
    for line in [
        lattice("prod"),
        Settings {
            nats_creds: Some("/a.creds".into()),
            ..Settings::default()
        },
        Settings {
            lattice: text("prod"),
            ..admin("a:1")
        },
    ] {
        let option = line.lattice_names().next().unwrap().option;
        let given = Given {
            context: None,
            settings: line.clone(),
        };
        let selected = select(given, Given::default(), |_| Ok(None));
        let failure = format!("{:?}", selected.unwrap_err());
        assert!(
            failure.contains(&format!("`{option}` requires NATS servers")),
            "{failure}"
        );
        if line.admin.is_none() {
            select_to_join(line, Settings::default()).unwrap_err();
        }
    }
}

#[test]
fn a_client_certificate_needs_its_key_from_any_source() {
    let cert = Settings {
        nats_cert: Some("/cert.pem".into()),
        ..servers(NATS)
    };
    let key = Settings {
        nats_key: Some("/key.pem".into()),
        ..Settings::default()
    };
    let alone = select_to_join(cert.clone(), Settings::default()).unwrap_err();
    assert!(format!("{alone:?}").contains("without `--nats-key`"));
    let joined = select_to_join(cert, key).unwrap().unwrap();
    assert!(joined.nats.tls.unwrap().identity.is_some());
}
