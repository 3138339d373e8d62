//! The listeners by which the services of this process are called from others: one for each role, with the list of who may call what.

use anyhow::Result;
use cairn_proto::transport::{Health, Server};
use cairn_proto::{
    Role, administration_server, certificate_authority_server, certificate_store_server, crl_store_server,
    listener_certificates_server, nonce_owner_server, ocsp_responder_server, pki_read_server,
    policy_authority_server, registration_authority_server, revocation_store_server,
    storage_authority_server, storage_read_servers, validation_authority_server,
};

use crate::config::Internal;
use crate::lifecycle::Lifecycle;
use crate::listener::{Bind, Sockets};
use crate::roles::Roles;
use crate::wiring::Services;

/// Bound sockets, by role, before anything is accepted.
#[derive(Debug, Default)]
pub struct Bound(Vec<(Role, Sockets)>);

impl Bound {
    /// Binds what is configured for the roles of this process.
    ///
    /// # Errors
    /// If an address cannot be had.
    pub async fn bind(roles: &Roles, internal: &Internal) -> Result<Self> {
        let mut bound = Vec::new();
        for role in roles.iter() {
            let listen = &internal.place(role).listen;
            if !listen.is_empty() {
                let what = format!("role {role}");
                bound.push((role, Sockets::bind(&what, &Bind::Addresses(listen.clone())).await?));
            }
        }
        Ok(Self(bound))
    }

    /// The addresses really bound.
    pub fn addresses(&self) -> Vec<(Role, Vec<std::net::SocketAddr>)> {
        self.0.iter().map(|(role, sockets)| (*role, sockets.addresses())).collect()
    }
}

/// Starts to answer the other processes, and gives what tells them whether a role is ready.
///
/// # Errors
/// If there is no certificate for a role.
pub fn serve(bound: Bound, services: &Services, lifecycle: &Lifecycle) -> Result<Vec<Health>> {
    let mut health = Vec::new();
    for (role, sockets) in bound.0 {
        let identity = services.peers.identity(role)?;
        let server = Server::new(identity, services.peers.server_config());
        let server = answering(server, role, services);
        for socket in sockets.into_inner() {
            server.serve(socket, lifecycle.stopping.clone(), &lifecycle.work);
        }
        health.push(server.health());
    }
    Ok(health)
}

/// Who may call what. Nothing else is answered.
fn answering(server: Server, role: Role, services: &Services) -> Server {
    match role {
        Role::Wfe => match &services.wfe {
            Some(wfe) => server.add(nonce_owner_server(wfe.nonces.clone()), &[Role::Wfe]),
            None => server,
        },
        Role::Ra => match &services.ra {
            Some(ra) => server
                .add(registration_authority_server(ra.clone()), &[Role::Wfe])
                .add(listener_certificates_server(ra.clone()), &[Role::Wfe])
                .add(administration_server(ra.clone()), &[Role::Admin]),
            None => server,
        },
        Role::Va => match &services.va {
            Some(va) => server.add(validation_authority_server(va.clone()), &[Role::Ra]),
            None => server,
        },
        Role::RemoteVa => match &services.remote_va {
            Some(va) => server.add(validation_authority_server(va.clone()), &[Role::Va]),
            None => server,
        },
        Role::Ca => match &services.ca {
            Some(ca) => server
                .add(certificate_authority_server(ca.clone()), &[Role::Ra])
                .add(ocsp_responder_server(ca.clone()), &[Role::Pki]),
            None => server,
        },
        Role::Sa => match &services.sa {
            Some(sa) => server
                .add(storage_read_servers(services.reads(sa), sa.clone()), &[Role::Wfe, Role::Ra])
                .add(storage_authority_server(sa.clone()), &[Role::Ra])
                .add(revocation_store_server(sa.clone()), &[Role::Ra])
                .add(certificate_store_server(sa.clone()), &[Role::Ca])
                .add(crl_store_server(sa.clone()), &[Role::Ca])
                .add(pki_read_server(sa.clone()), &[Role::Pki, Role::Ca]),
            None => server,
        },
        Role::Pa => match &services.pa {
            Some(pa) => server.add(policy_authority_server(pa.clone()), &[Role::Ra]),
            None => server,
        },
        Role::Pki | Role::Admin => server,
    }
}
