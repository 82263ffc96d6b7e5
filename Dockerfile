# The page and the command `hairseg`, with the bundled networks: docker build -t hairseg .
# For NVIDIA GPUs: docker build --build-arg TORCH_BACKEND=cu128 -t hairseg .

FROM python:3.12-slim AS build
# The build of PyTorch, a value of `uv pip install --torch-backend`: cpu, cu126, cu128, ...
ARG TORCH_BACKEND=cpu
RUN pip install --no-cache-dir "uv>=0.9,<1" && uv venv /opt/hairseg
ENV VIRTUAL_ENV=/opt/hairseg
WORKDIR /build
# Dependencies have their own layer, so that changes of the code do not invalidate it.
COPY pyproject.toml ./
RUN uv pip install --no-cache --torch-backend="$TORCH_BACKEND" --requirements pyproject.toml --extra page
COPY LICENSE README.md model_card.md ./
COPY hairseg hairseg
RUN uv pip install --no-cache --no-deps --compile-bytecode .

FROM python:3.12-slim
# Spaces run containers as user 1000.
RUN useradd --create-home --uid 1000 hairseg \
    && install --directory --owner=hairseg --group=hairseg /home/hairseg/.cache /home/hairseg/.cache/huggingface
COPY --from=build /opt/hairseg /opt/hairseg
ENV PATH=/opt/hairseg/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860
USER 1000
WORKDIR /home/hairseg
EXPOSE 7860
# Status 503 raises an exception, so the exit code is 1.
HEALTHCHECK --interval=10s --timeout=8s --start-period=2m CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['GRADIO_SERVER_PORT']}/health\", timeout=6)"]
ENTRYPOINT ["hairseg"]
CMD ["serve"]
