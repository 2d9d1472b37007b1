//! Command-line targets: a component of an app, or an app with an optional component.

use std::fmt;
use std::str::FromStr;

use weft_lattice_config::{AppName, ComponentName};

/// A component of an app, written `APP/COMPONENT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComponentTarget {
    pub(crate) app: AppName,
    pub(crate) component: ComponentName,
}

/// An app or a component of it, written `APP` or `APP/COMPONENT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppTarget {
    pub(crate) app: AppName,
    pub(crate) component: Option<ComponentName>,
}

impl FromStr for ComponentTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let AppTarget { app, component } = text.parse()?;
        match component {
            Some(component) => Ok(ComponentTarget { app, component }),
            None => Err("expected `APP/COMPONENT`, as in `shop/storefront`".to_owned()),
        }
    }
}

impl FromStr for AppTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (app, component) = match text.split_once('/') {
            None => (text, None),
            Some((app, component)) => (app, Some(component)),
        };
        Ok(AppTarget {
            app: app.parse().map_err(explain)?,
            component: component.map(str::parse).transpose().map_err(explain)?,
        })
    }
}

fn explain(error: impl fmt::Display) -> String {
    error.to_string()
}

impl fmt::Display for ComponentTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.app, self.component)
    }
}

impl fmt::Display for AppTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.component {
            Some(component) => write!(formatter, "{}/{component}", self.app),
            None => self.app.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_addressed_by_app_and_name() {
        let target: ComponentTarget = "shop/storefront".parse().unwrap();
        assert_eq!(target.app.as_str(), "shop");
        assert_eq!(target.component.as_str(), "storefront");
        assert_eq!(target.to_string(), "shop/storefront");
    }

    #[test]
    fn an_invalid_target_is_refused() {
        for text in [
            "",
            "shop",
            "shop/",
            "/storefront",
            "Shop/a",
            "shop/a/b",
            "shop/a b",
        ] {
            assert!(text.parse::<ComponentTarget>().is_err(), "{text:?}");
        }
        let error = "shop".parse::<ComponentTarget>().unwrap_err();
        assert!(error.contains("APP/COMPONENT"), "{error}");
    }

    #[test]
    fn an_app_may_stand_alone() {
        let target: AppTarget = "shop".parse().unwrap();
        assert_eq!(
            (target.app.as_str(), target.component.as_ref()),
            ("shop", None)
        );
        assert_eq!(
            "shop/cart".parse::<AppTarget>().unwrap().to_string(),
            "shop/cart"
        );
        assert!("shop/".parse::<AppTarget>().is_err());
    }
}
