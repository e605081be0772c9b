//! TLS for SIP: who is trusted, and who we are. One crypto provider, named here, so that none has to be installed.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_native_certs::CertificateResult;
use secrecy::ExposeSecret;
use tokio_rustls::TlsAcceptor;

use super::config::{TlsIdentity, TlsTrust};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Whom a trunk's connections trust; read when the first of them is made, for most trunks need none.
#[derive(Debug)]
pub struct Trust {
    trust: TlsTrust,
    client: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    /// `now`: find out at once whether it can be used.
    pub fn new(trust: TlsTrust, now: bool) -> io::Result<Self> {
        let trust = Self { trust, client: OnceLock::new() };
        if now || matches!(trust.trust, TlsTrust::Roots { .. }) {
            trust.client()?;
        }
        Ok(trust)
    }

    pub fn client(&self) -> io::Result<Arc<ClientConfig>> {
        match self.client.get() {
            Some(client) => Ok(client.clone()),
            None => {
                let client = client(&self.trust)?;
                Ok(self.client.get_or_init(|| client).clone())
            }
        }
    }
}

fn client(trust: &TlsTrust) -> io::Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let config = match trust {
        TlsTrust::Insecure => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider())))
            .with_no_client_auth(),
        TlsTrust::System => {
            let roots = system_roots(rustls_native_certs::load_native_certs())?;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        TlsTrust::Roots { pem } => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem)? {
                roots.add(certificate).map_err(io::Error::other)?;
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}

/// The machine's certificates, or Mozilla's list where it has none; not where it has some that can't be read, for then
/// somebody meant others.
fn system_roots(found: CertificateResult) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (usable, unusable) = roots.add_parsable_certificates(found.certs);
    let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
    let errors = errors.join("; ");
    match (usable, unusable + found.errors.len()) {
        (0, 0) => {
            tracing::warn!("this machine has no root certificates; those built in are used");
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        (0, _) => {
            let why = format!("none of this machine's root certificates can be used: {errors}");
            return Err(io::Error::other(why));
        }
        (_, 0) => {}
        (usable, unusable) => {
            tracing::warn!(
                usable,
                unusable,
                errors,
                "some of this machine's root certificates can't be used"
            );
        }
    }
    Ok(roots)
}

pub fn acceptor(identity: &TlsIdentity) -> io::Result<TlsAcceptor> {
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose_secret().as_bytes())
        .map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(certificates(&identity.certificates_pem)?, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found.map_err(io::Error::other)? {
        none if none.is_empty() => Err(io::Error::other("no certificate in the PEM text")),
        some => Ok(some),
    }
}

/// Takes every certificate; only for [`TlsTrust::Insecure`].
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../tests/sip/tls/certificate.pem");

    fn found(usable: bool, unusable: usize) -> CertificateResult {
        let mut found = CertificateResult::default();
        found.certs = if usable { certificates(CERTIFICATE).unwrap() } else { Vec::new() };
        found.certs.extend((0..unusable).map(|_| CertificateDer::from(b"no certificate".to_vec())));
        found
    }

    #[test]
    fn a_machine_without_certificates_trusts_a_list_and_one_with_broken_ones_nobody() {
        assert_eq!(system_roots(found(true, 0)).unwrap().len(), 1);
        assert_eq!(system_roots(found(true, 3)).unwrap().len(), 1);
        assert_eq!(system_roots(found(false, 0)).unwrap().len(), webpki_roots::TLS_SERVER_ROOTS.len());
        let error = system_roots(found(false, 3)).unwrap_err();
        assert!(error.to_string().contains("can be used"), "{error}");
    }

    #[test]
    fn a_file_of_certificates_that_is_not_there_is_named() {
        let missing = std::path::Path::new("no/such/file.pem");
        let error =
            system_roots(rustls_native_certs::load_certs_from_paths(Some(missing), None)).unwrap_err();
        assert!(error.to_string().contains("no/such/file.pem"), "{error}");
    }
}
