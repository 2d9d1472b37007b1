//! Apps made of `http-probe`, the guest that behaves as its path says.

/// One component of such an app.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// The component's name.
    pub name: &'a str,
    /// The rest of its entry in the manifest, such as `limits: {deadline: 1s}`.
    pub settings: &'a str,
    /// The path that leads to it.
    pub path: &'a str,
}

/// The `spec` of an app of probes. Each is linked to the provider `kv` (in memory), to `config` (no
/// values) and to `outside` (nothing allowed).
#[must_use]
pub fn probes(probes: &[Probe<'_>]) -> String {
    let list = |line: &dyn Fn(&Probe<'_>) -> String| probes.iter().map(line).collect::<String>();
    let components = list(&|Probe { name, settings, .. }| {
        let comma = if settings.is_empty() { "" } else { ", " };
        format!("- {{name: {name}, source: {{file: guest:http-probe}}{comma}{settings}}}\n")
    });
    let links = list(&|Probe { name, .. }| {
        format!(
            "- {{from: {name}, interface: \"wasi:keyvalue/store\", to: kv}}\n\
             - {{from: {name}, interface: \"wasi:config/store\", to: config}}\n\
             - {{from: {name}, interface: \"wasi:http/outgoing-handler\", to: outside}}\n"
        )
    });
    let routes = list(&|Probe { name, path, .. }| format!("- {{path: {path}, to: {name}}}\n"));
    format!(
        "components:\n{components}\
         providers:\n\
         - {{name: kv, type: keyvalue-memory}}\n\
         - {{name: config, type: config-values}}\n\
         - {{name: outside, type: http-client}}\n\
         links:\n{links}\
         routes:\n{routes}"
    )
}
