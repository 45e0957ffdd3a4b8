#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed-text.sh FILE NAME HEADER: writes C that holds a text as NAME and its
# length as NAME_len.
set -eu

echo '/* Made by tools/embed-text.sh. */'
printf '#include "%s"\n' "$3"
printf 'const char %s[] =\n' "$2"
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' -e 's/.*/	"&\\n"/' "$1"
echo '	"";'
printf 'const size_t %s_len = sizeof(%s) - 1;\n' "$2" "$2"
