# One image for every command of segstream; docker-compose.yml chooses which.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY stream stream
COPY config config
# Without pip, which nothing needs later, and without the libraries' own tests.
RUN python -m venv --without-pip /opt/segstream \
    && pip --python /opt/segstream/bin/python install --no-cache-dir . \
    && find /opt/segstream -type d -name tests -path '*/site-packages/*' -prune -exec rm -rf {} +

FROM python:3.11.13-slim-bookworm
# Compiled plans are kept in the one folder, the token for the web server comes into the other; volumes over them take
# over whose they are.
RUN useradd --uid 10001 --create-home segstream \
    && install -d -o segstream -g segstream /home/segstream/.segstream /run/segstream
COPY --from=build /opt/segstream /opt/segstream
ENV PATH=/opt/segstream/bin:$PATH PYTHONUNBUFFERED=1
USER segstream
WORKDIR /home/segstream
ENTRYPOINT ["segstream"]
