# One image for every command of segstream; docker-compose.yml chooses which.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY stream stream
COPY config config
RUN python -m venv /opt/segstream && /opt/segstream/bin/pip install --no-cache-dir .

FROM python:3.11.13-slim-bookworm
RUN useradd --uid 10001 --create-home segstream
COPY --from=build /opt/segstream /opt/segstream
ENV PATH=/opt/segstream/bin:$PATH PYTHONUNBUFFERED=1
USER segstream
WORKDIR /home/segstream
# Compiled plans are kept here; a volume keeps them over restarts.
RUN mkdir .segstream
ENTRYPOINT ["segstream"]
