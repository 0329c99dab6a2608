"""Encapsulated PDF: the report on the key image, as the app and the PDF download make it."""

from __future__ import annotations

from datetime import UTC

from highdicom.base import SOPClass
from highdicom.sr import CodedConcept
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes as standard

from utils.reports.dicom.request import Request
from utils.reports.pdf import report_pdf
from utils.reports.reported import reported_networks

KIND = "pdf"


def build(request: Request) -> Dataset | None:
    image = request.frames.images[0]
    made = SOPClass(
        study_instance_uid=image.StudyInstanceUID,
        sop_class_uid=uid.EncapsulatedPDFStorage,
        modality="DOC",
        transfer_syntax_uid=uid.ExplicitVRLittleEndian,
        specific_character_set="ISO_IR 192",
        **request.header(KIND),
    )
    made.copy_patient_and_study_information(image)
    document = report_pdf([request.reported], reported_networks(), request.created.astimezone(UTC))
    made.ConversionType = "WSD"
    made.AcquisitionDateTime = ""
    made.BurnedInAnnotation = request.key.image.BurnedInAnnotation  # of the scan; the words name nobody
    made.DocumentTitle = "Brain MRI reader: report"
    made.ConceptNameCodeSequence = Items([CodedConcept.from_code(standard.DCM.ImagingMeasurementReport)])
    made.SourceInstanceSequence = Items([request.key.reference(with_frame=False)])
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(document)
    made.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    return made
