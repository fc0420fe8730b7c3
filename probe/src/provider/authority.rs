//! A certificate authority of this run, and what it certifies: providers as they are, and as nobody may trust them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::app::Folder;

/// The name that providers are reached by; it is this machine everywhere.
pub const HOST: &str = "localhost";

/// What a provider shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    Right,
    /// By an authority that nobody was told of.
    OtherAuthority,
    OtherName,
    Expired,
}

pub struct Authority {
    known: Issuer<'static, KeyPair>,
    unknown: Issuer<'static, KeyPair>,
    file: PathBuf,
    _folder: Folder,
}

impl Authority {
    /// # Errors
    /// When its file cannot be written.
    pub fn new() -> Result<Self> {
        let (certificate, known) = root()?;
        let folder = Folder::new()?;
        let file = folder.path().join("authority.pem");
        std::fs::write(&file, certificate.pem()).with_context(|| format!("cannot write `{}`", file.display()))?;
        Ok(Self { known, unknown: root()?.1, file, _folder: folder })
    }

    /// Its own certificate, as PEM.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How a server of [`HOST`] speaks TLS.
    ///
    /// # Errors
    /// Does not fail where keys can be made.
    pub fn server(&self, paper: Paper) -> Result<Arc<ServerConfig>> {
        let name = if paper == Paper::OtherName { "other.test" } else { HOST };
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.use_authority_key_identifier_extension = true;
        if paper == Paper::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate()?;
        let issuer = if paper == Paper::OtherAuthority { &self.unknown } else { &self.known };
        let certificate = params.signed_by(&key, issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Arc::new(server))
    }
}

fn root() -> Result<(Certificate, Issuer<'static, KeyPair>)> {
    let mut params = CertificateParams::new(vec![])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority of a probe's run");
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate, Issuer::new(params, key)))
}
