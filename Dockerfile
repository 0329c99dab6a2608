# Untested: no container engine was available where this file was written.
#   docker build -t brain-mri . && docker run --rm -p 127.0.0.1:8501:8501 brain-mri
FROM python:3.11-slim

RUN useradd --create-home reader
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY --chown=reader . .
USER reader
EXPOSE 8501
# The app listens on all addresses inside the container; the -p option above limits access from outside.
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.headless=true"]
