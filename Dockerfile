# Untested: no container engine ran where this was written.
#   docker build -t brain-mri . && docker run --rm -p 127.0.0.1:8501:8501 brain-mri
FROM python:3.11-slim

RUN useradd --create-home reader
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY --chown=reader . .
USER reader
EXPOSE 8501
# 0.0.0.0 only inside the container: the -p above decides who outside can reach it.
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.headless=true"]
