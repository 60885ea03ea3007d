# fastface on the processor (ONNX Runtime and OpenVINO). A card: Dockerfile.gpu.
#
# Build:     docker build -t fastface .
# Networks:  docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/models:/models" \
#                fastface models install buffalo_l --accept-license
# Find:      docker run --rm --init --user "$(id -u):$(id -g)" -v "$PWD/videos:/videos:ro" -v "$PWD/photos:/photos:ro" \
#                -v "$PWD/models:/models:ro" -v "$PWD/out:/out" fastface
# Ask again: docker run --rm --init --user "$(id -u):$(id -g)" -v "$PWD/videos:/videos:ro" -v "$PWD/photos:/photos:ro" \
#                -v "$PWD/models:/models:ro" -v "$PWD/out:/out" fastface find -t /photos/Bob.jpg -o /out
#
# Make the four folders first: those that Docker makes belong to root. `-v fastface-cache:/cache` keeps rewritten and
# compiled networks from one container to the next. No --shm-size: frames lie in memory without a name (memfd), not in
# /dev/shm. `--network none` is fine for all but `models install`.

FROM python:3.12.12-slim-bookworm AS build
WORKDIR /src
RUN python3 -m venv /opt/fastface
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY configs configs
COPY fastface fastface
RUN /opt/fastface/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt '.[cpu]'

FROM python:3.12.12-slim-bookworm
COPY --from=build /opt/fastface /opt/fastface
# Whoever `--user` names may write here. `models install` writes to the data folder, which is /models.
RUN groupadd --gid 10001 fastface \
    && useradd --uid 10001 --gid fastface --no-create-home --home-dir /cache fastface \
    && install -d -m 1777 /videos /photos /models /out /cache \
    && install -d /opt/data/fastface \
    && ln -s /models /opt/data/fastface/models
ENV PATH=/opt/fastface/bin:$PATH \
    HOME=/cache \
    XDG_CACHE_HOME=/cache \
    XDG_DATA_HOME=/opt/data
VOLUME ["/videos", "/photos", "/models", "/out", "/cache"]
WORKDIR /out
USER 10001:10001
ENTRYPOINT ["fastface"]
CMD ["run", "/videos", "-t", "/photos", "-o", "/out"]
