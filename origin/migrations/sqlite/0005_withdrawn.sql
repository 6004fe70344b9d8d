-- The last revision number that had been given out when the asset was withdrawn; NULL where it never was. None up to it is served again.
ALTER TABLE asset ADD COLUMN withdrawn INTEGER CHECK (withdrawn BETWEEN 1 AND begun AND (published IS NULL OR published > withdrawn));
