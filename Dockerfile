# Cairn's image, and those of what stands around it in docker-compose.yml.
#
#   docker build --target cairn --tag cairn .
#
# Everything is built from two base images: a Debian, and a Rust on the same Debian. PostgreSQL, HAProxy and the rest are stages of
# Debian's own packages. Nothing here is bound to a processor, and nothing needs BuildKit; with it, stages that are not asked for are
# not built.

ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG RUST_IMAGE=rust:1-slim-bookworm


# -- what cargo reads and nothing else, so that nothing else has everything built again

# Apart from the compiler's image: after each step an engine may compare all files of the image, and those are many.
FROM scratch AS source
COPY Cargo.toml Cargo.lock /src/
COPY .cargo /src/.cargo
COPY cairn /src/cairn
COPY wfe /src/wfe
COPY ra /src/ra
COPY va /src/va
COPY ca /src/ca
COPY sa /src/sa
COPY pa /src/pa
COPY proto /src/proto
COPY core /src/core
COPY jose /src/jose
COPY x509 /src/x509
COPY ceremony /src/ceremony
COPY challtestsrv /src/challtestsrv
COPY test-env /src/test-env
COPY migrations /src/migrations


# -- the programs

FROM ${RUST_IMAGE} AS build
# `release` takes some minutes and several gigabytes of memory (fat LTO); `dev` is quick, and for trying things out.
ARG PROFILE=release
COPY --from=source /src /src
WORKDIR /src
# Names of functions stay in, for backtraces; what a debugger wants does not. And nothing that only a next build here would want: there
# is none, and it is gigabytes.
RUN export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-/src/target}" CARGO_INCREMENTAL=0 \
    && cargo build --locked --profile "$PROFILE" --package cairn --package challtestsrv \
    && folder="$CARGO_TARGET_DIR/$(echo "$PROFILE" | sed 's/^dev$/debug/')" \
    && mkdir /out \
    && cp "$folder/cairn" "$folder/challtestsrv" /out/ \
    && rm -rf "$CARGO_TARGET_DIR" \
    && strip --strip-debug /out/cairn /out/challtestsrv


# -- Debian, and the one user that everything runs as

FROM ${DEBIAN_IMAGE} AS debian
# One number in all images, so that a file in a volume that two of them share has an owner in both.
RUN groupadd --gid 10001 cairn \
    && useradd --uid 10001 --gid cairn --no-create-home --home-dir /var/lib/cairn --shell /usr/sbin/nologin cairn


# -- Cairn: nothing but the program and the roots of the public web PKI

FROM debian AS cairn
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# The folders that volumes are mounted on: a new volume belongs to whom the folder belongs to.
RUN install --directory --owner cairn --group cairn --mode 0700 /var/lib/cairn /etc/cairn /etc/cairn/internal-pki
COPY compose/ready /usr/local/bin/cairn-ready
COPY --from=build /out/cairn /usr/local/bin/cairn
USER cairn
WORKDIR /var/lib/cairn
EXPOSE 14000 4002
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s --retries=3 CMD ["cairn-ready"]
ENTRYPOINT ["cairn"]
CMD ["serve", "--config", "/etc/cairn/cairn.toml"]


# -- the one-shot service of docker-compose.yml that makes keys, certificates and configurations

FROM cairn AS setup
USER root
RUN for volume in authority public issuer config database wfe ra va remote-va ca sa pa pki admin; do \
        install --directory --owner cairn --group cairn --mode 0700 "/made/$volume" || exit 1; \
    done
COPY compose/setup /usr/local/bin/setup
COPY compose/cairn.toml /usr/local/share/cairn/cairn.toml
USER cairn
ENTRYPOINT ["setup"]
CMD []


# -- the fake DNS

FROM debian AS challtestsrv
COPY --from=build /out/challtestsrv /usr/local/bin/challtestsrv
USER cairn
EXPOSE 8053/udp 8053/tcp 8055
ENTRYPOINT ["challtestsrv"]
CMD ["--dns", "0.0.0.0:8053", "--management", "0.0.0.0:8055"]


# -- PostgreSQL

FROM debian AS postgres
RUN usermod --login postgres cairn \
    && groupmod --new-name postgres cairn \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/* /etc/postgresql/* \
    && install --directory --owner postgres --group postgres --mode 0700 /var/lib/postgresql/cluster /run/postgresql /etc/cairn
COPY compose/postgres /usr/local/bin/postgres-server
USER postgres
EXPOSE 5432
# Ends sessions at once, and leaves nothing to recover; SIGTERM would wait for clients that never go.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=10s --retries=12 CMD ["pg_isready", "--quiet", "--host", "/run/postgresql"]
ENTRYPOINT ["postgres-server"]


# -- HAProxy

FROM debian AS haproxy
RUN apt-get update \
    && apt-get install --yes --no-install-recommends haproxy \
    && rm -rf /var/lib/apt/lists/*
COPY compose/haproxy.cfg /etc/haproxy/haproxy.cfg
USER haproxy
# Ends when its connections have, or after a bound that haproxy.cfg sets.
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=10s --timeout=10s --retries=6 CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8404 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && grep --quiet '^HTTP/1.. 200' <&3"]
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]


# -- ACME clients, for those who have none

FROM debian AS client
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates certbot curl lego openssl socat \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner cairn --group cairn /var/lib/cairn
USER cairn
ENV HOME=/var/lib/cairn
WORKDIR /var/lib/cairn


# -- Prometheus

FROM debian AS prometheus
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends prometheus \
    && rm -rf /var/lib/apt/lists/* \
    && chown cairn:cairn /var/lib/prometheus
COPY compose/prometheus.yml /etc/prometheus/prometheus.yml
USER cairn
EXPOSE 9090
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/var/lib/prometheus"]


# -- what `docker build .` makes

FROM cairn
