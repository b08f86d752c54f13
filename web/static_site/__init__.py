"""The site as plain files for a host without a server, with search by words in the browser."""
