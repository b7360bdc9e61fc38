"""Reports of studies: tables -> statistics -> findings -> sentences and figures -> pages."""
