"""Tables of patients as spreadsheets and people write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from utils.datasets.patients import patients_of

SAMPLES = pd.DataFrame(
    {
        "file": ["glioma/a.png", "no_tumor/b.png"],
        "path": ["/data/set/glioma/a.png", "/data/set/no_tumor/b.png"],
    }
)


@pytest.mark.parametrize(
    "text",
    [
        "file,patient\nglioma/a.png,NA\nno_tumor/b.png,p2\n",
        "file, patient\nglioma/a.png, NA\nno_tumor/b.png, p2\n",
        "file;patient\nglioma/a.png;NA\nno_tumor/b.png;p2\n",
        "file\tpatient\nglioma/a.png\tNA\nno_tumor/b.png\tp2\n",
        "File,PATIENT\nglioma/a.png,NA\nno_tumor/b.png,p2\n",
        "patient,age,file\nNA,40,glioma/a.png\np2,50,no_tumor/b.png\n",
        "file,patient\n./glioma/a.png,NA\n./no_tumor/b.png,p2\n",
        "file,patient\n.\\glioma\\a.png,NA\nno_tumor\\b.png,p2\n",
        "file,patient\n/data/set/glioma/a.png,NA\n/data/set/no_tumor/b.png,p2\n",
        "file,patient\nset/glioma/a.png,NA\nset/no_tumor/b.png,p2\n",
        "file,patient\na.png,NA\nb.png,p2\n",
        "\ufefffile,patient\r\nglioma/a.png,NA\r\nno_tumor/b.png,p2\r\n",
    ],
)
def test_every_usual_form_is_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "patients.csv"
    file.write_text(text, encoding="utf-8", newline="")
    assert list(patients_of(SAMPLES, file)) == ["NA", "p2"]
