"""The codes of the objects: SNOMED CT (SCT) and DICOM (DCM)."""

from __future__ import annotations

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

# In no context group of DICOM (PS3.16), so taken from SNOMED CT itself: 302820008 as in its release notes, 281900007 as
# in HL7's mCODE, 127024001 as in a FHIR guide for genomic orders (the parent of all types).
CLASSES = {
    "glioma": Code("393564001", "SCT", "Glioma"),
    "meningioma": Code("302820008", "SCT", "Intracranial meningioma"),
    "pituitary": Code("127024001", "SCT", "Neoplasm of pituitary gland"),
    "no_tumor": Code("281900007", "SCT", "No abnormality detected"),
}
INDETERMINATE = codes.SCT.Indeterminate
ABNORMAL = codes.SCT.MorphologicallyAbnormalStructure
NEOPLASM = Code("108369006", "SCT", "Neoplasm")
BRAIN = codes.SCT.Brain
CERTAINTY = codes.DCM.CertaintyOfFinding  # in percent
PERCENT = codes.UCUM.Percent
NO_UNITS = codes.UCUM.NoUnits
DIAMETER = Code("103339001", "SCT", "Long axis")
