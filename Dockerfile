# fastbert-serve in a container; SERVING.md says how to run it.
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY fastbert_tf fastbert_tf
COPY segments segments
COPY export export
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir=/wheels .

FROM python:3.11-slim
COPY --from=build /wheels /wheels
RUN set -- /wheels/*.whl \
    && python -m pip install --no-cache-dir "$1[serve,openvino]" \
    && useradd --system --no-create-home fastbert
USER fastbert
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=4)"]
# The exec form: the server is process 1 and gets SIGTERM itself.
ENTRYPOINT ["fastbert-serve", "--bundle_dir=/bundle", "--host=0.0.0.0", "--port=8000"]
