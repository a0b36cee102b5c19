``storePathCommitLog`` may name several folders, with commas, and ``readOnlyCommitLogStorePaths`` those without new files: the files of the commit log are spread over them as Apache's broker does it.
