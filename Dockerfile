# One image for everything of the harness: workers under test, Locust's master and its workers.
#
#     docker build -t runqy-bench .
FROM python:3.12-slim

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY bench bench
RUN pip install --no-cache-dir . && rm -rf /src
# Locust listens to nobody's files: the locustfiles are all it is given.
WORKDIR /bench
COPY locustfiles locustfiles
RUN useradd --create-home bench && mkdir results && chown bench results
USER bench

CMD ["bench", "--help"]
