"""Records as GitHub-flavoured Markdown, for comments, issues and job summaries."""
