# One image for all parts of the harness: workers under test, Locust's master, Locust's workers.
#
#     docker build -t runqy-bench .
FROM python:3.12-slim

WORKDIR /src
# Dependencies first: this layer is rebuilt only when the lock file changes.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bench bench
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && rm -rf /src
# Locust reads the locustfiles from the working directory. Nothing else of the source is needed.
WORKDIR /bench
COPY locustfiles locustfiles
RUN useradd --create-home bench && mkdir results && chown bench results
USER bench

CMD ["bench", "--help"]
