"""The error of readings that no DICOM objects can be made from."""


class NotReportable(ValueError):
    """A series without DICOM results. Its text is one sentence that says why, without identifiers."""
