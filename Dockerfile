# Two images from one file, without a compiler or an installer inside:
#
#   pipeline   the command `tessera`, with Dagster and MLflow
#   service    the HTTP service alone
#
# BASE is an image of Debian, or one made from it, whose python3 is 3.11 or 3.12 and has the module venv.
ARG BASE=docker.io/library/python:3.11-slim-bookworm


FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# LightFM is compiled; Debian's headers serve an interpreter from Debian, other bases bring their own.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev python3-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/installer \
 && /opt/installer/bin/pip install --quiet 'pip>=25' \
 && python3 -m venv --without-pip /opt/tessera \
 && python3 -m venv --without-pip /opt/service
WORKDIR /build
# Requirements come before the code, so that a changed line of code does not install them again.
COPY pyproject.toml requirements.lock ./
RUN python3 -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
      print(*project['dependencies'], *project['optional-dependencies']['redis'], sep='\n')" > needed.txt \
 && /opt/installer/bin/pip --python /opt/tessera/bin/python install --quiet \
      --constraint requirements.lock --requirement needed.txt
COPY . .
RUN /opt/installer/bin/pip --python /opt/tessera/bin/python install --quiet --no-deps .
# The service needs a part of what the pipeline needs, in the same versions: those of the Bento.
RUN cd /opt && /opt/tessera/bin/python -m orchestration.bento > /build/served.txt \
 && /opt/installer/bin/pip --python /opt/service/bin/python install --quiet --requirement /build/served.txt
# What the libraries bring for their own developers, and translations of the names of countries; in dbt and in the
# project that it runs, folders of the same names hold what is needed. Symbols go from all but the folders *.libs, whose
# files were changed when their wheels were made and would not load any more.
RUN for packages in /opt/tessera/lib/python3*/site-packages /opt/service/lib/python3*/site-packages; do \
      cd "$packages" \
      && find . \( -path ./dbt -o -path ./orchestration \) -prune -o -type d \( -name tests -o -name include \) -prune -exec rm -rf {} + \
      && rm -rf pycountry/locales \
      && find . -path '*.libs' -prune -o -name '*.so*' -type f -exec strip --strip-unneeded {} + \
      || exit 1; \
    done
RUN mkdir -p /srv/tessera/published \
 && cp -r ml serving LICENSE /srv/tessera/ \
 && cp -r config /srv/tessera/ml/site/config \
 && /opt/service/bin/python -m compileall -q /srv/tessera


FROM ${BASE} AS runtime
# libgomp1 is what LightGBM computes with in parallel.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 tessera \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp tessera \
 && install --directory --owner=10001 --group=10001 --mode=700 /var/lib/tessera
# Only the home and /tmp are written to, so that the root can be mounted read-only.
ENV HOME=/tmp TESSERA_HOME=/var/lib/tessera BENTOML_DO_NOT_TRACK=True PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
VOLUME /var/lib/tessera
STOPSIGNAL SIGTERM


FROM runtime AS service
COPY --from=build /opt/service /opt/service
COPY --from=build /srv/tessera /srv/tessera
ENV PATH=/opt/service/bin:${PATH} BENTOML_HOME=/tmp/bentoml
WORKDIR /srv/tessera
EXPOSE 8000
# Alive is enough here: before the first materialization there is nothing to answer from, and /readyz says so.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD \
  ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["bentoml", "serve", "serving.service:TesseraService", "--host", "0.0.0.0", "--port", "8000"]


FROM runtime AS pipeline
COPY --from=build /opt/tessera /opt/tessera
ENV PATH=/opt/tessera/bin:${PATH}
WORKDIR /var/lib/tessera
EXPOSE 3000 5000 8001
HEALTHCHECK --interval=20s --timeout=10s --start-period=120s CMD \
  ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/server_info', timeout=9)"]
ENTRYPOINT ["tessera"]
CMD ["up", "--without", "service", "--host", "0.0.0.0"]
