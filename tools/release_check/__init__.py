"""What has to hold before a release: the files that are published, and where they install."""
