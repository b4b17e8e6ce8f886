// SPDX-License-Identifier: Apache-2.0
/* Every message of the front end, whole: text, place, line and caret. */
#include "compile.h"

struct error_case {
	const char *text, *message;
};

static const struct error_case syntax[] = {
    {"BEGIN { \"abc", "pydtrace: test.d:1:9: unterminated string\n"
		      "    BEGIN { \"abc\n"
		      "            ^\n"},
    {"BEGIN /* abc", "pydtrace: test.d:1:7: unterminated comment\n"
		     "    BEGIN /* abc\n"
		     "          ^\n"},
    {"BEGIN { 'a", "pydtrace: test.d:1:9: unterminated character constant\n"
		   "    BEGIN { 'a\n"
		   "            ^\n"},
    {"BEGIN { x = 'abcdefghi'; }", "pydtrace: test.d:1:13: character constant is too long\n"
				   "    BEGIN { x = 'abcdefghi'; }\n"
				   "                ^\n"},
    {"BEGIN { x = 99999999999999999999; }",
     "pydtrace: test.d:1:13: constant 99999999999999999999 results in integer overflow\n"
     "    BEGIN { x = 99999999999999999999; }\n"
     "                ^\n"},
    {"BEGIN { x = 08; }", "pydtrace: test.d:1:13: constant 08 contains invalid digit 8\n"
			  "    BEGIN { x = 08; }\n"
			  "                ^\n"},
    {"BEGIN { x = 1.5; }", "pydtrace: test.d:1:13: floating-point constants are not permitted\n"
			   "    BEGIN { x = 1.5; }\n"
			   "                ^\n"},
    {"BEGIN { $9 }", "pydtrace: test.d:1:9: macro argument $9 is not defined\n"
		     "    BEGIN { $9 }\n"
		     "            ^\n"},
    {"BEGIN { $foo }", "pydtrace: test.d:1:9: macro variable $foo is not defined\n"
		       "    BEGIN { $foo }\n"
		       "            ^\n"},
    {"BEGIN { $target }",
     "pydtrace: test.d:1:9: macro variable $target is not defined: name a process with -p or -c\n"
     "    BEGIN { $target }\n"
     "            ^\n"},
    {"python$9:::function-entry { }", "pydtrace: test.d:1:7: macro argument $9 is not defined\n"
				      "    python$9:::function-entry { }\n"
				      "          ^\n"},
    {"a:b:c:d:e { }",
     "pydtrace: test.d:1:1: 'a:b:c:d:e' has too many parts: at most provider:module:function:name\n"
     "    a:b:c:d:e { }\n"
     "    ^\n"},
    {"BEGIN { if (x) y; }", "pydtrace: test.d:1:9: D has no 'if': use a predicate, or the operator ?:\n"
			    "    BEGIN { if (x) y; }\n"
			    "            ^\n"},
    {"struct foo { int x; };", "pydtrace: test.d:1:1: structures are not supported yet\n"
			       "    struct foo { int x; };\n"
			       "    ^\n"},
    {"BEGIN /1/", "pydtrace: test.d:1:9: actions { } are expected after the probe description and predicate\n"
		  "    BEGIN /1/\n"
		  "            ^\n"},
    {"BEGIN /(1/ { }", "pydtrace: test.d:1:10: closing ) expected in the predicate before /\n"
		       "    BEGIN /(1/ { }\n"
		       "             ^\n"},
    {"BEGIN { x = (1; }", "pydtrace: test.d:1:15: syntax error near ';'\n"
			  "    BEGIN { x = (1; }\n"
			  "                  ^\n"},
    {"BEGIN { x = 1", "pydtrace: test.d:1:14: syntax error at the end of the text\n"
		      "    BEGIN { x = 1\n"
		      "                 ^\n"},
    {"BEGIN }", "pydtrace: test.d:1:7: syntax error near '}'\n"
		"    BEGIN }\n"
		"          ^\n"},
    {"BEGIN { x = 1 2; }", "pydtrace: test.d:1:15: syntax error near '2'\n"
			   "    BEGIN { x = 1 2; }\n"
			   "                  ^\n"},
    {"int a[10];",
     "pydtrace: test.d:1:6: arrays of a fixed size are not supported: an array has types as keys, as in a[int]\n"
     "    int a[10];\n"
     "         ^\n"},
    {"BEGIN { x = &y; }", "pydtrace: test.d:1:13: the address of a variable cannot be taken\n"
			  "    BEGIN { x = &y; }\n"
			  "                ^\n"},
    {"BEGIN { `foo = 1; }", "pydtrace: test.d:1:9: variables of the kernel (`foo) are not supported\n"
			    "    BEGIN { `foo = 1; }\n"
			    "            ^\n"},
    {"#include <stdio.h>", "pydtrace: test.d:1:1: #include is for the C preprocessor: use -C\n"
			   "    #include <stdio.h>\n"
			   "    ^\n"},
    {"#pragma D option", "pydtrace: test.d:1:1: #pragma D option needs the name of an option\n"
			 "    #pragma D option\n"
			 "    ^\n"},
    {"#pragma D depends_on provider x",
     "pydtrace: test.d:1:1: #pragma D depends_on is not supported: only #pragma D option is\n"
     "    #pragma D depends_on provider x\n"
     "    ^\n"},
    {"BEGIN { self = 1; }", "pydtrace: test.d:1:14: syntax error near '='\n"
			    "    BEGIN { self = 1; }\n"
			    "                 ^\n"},
    {"long short x;", "pydtrace: test.d:1:1: these words do not make a type\n"
		      "    long short x;\n"
		      "    ^\n"},
    {"BEGIN { x#y; }", "pydtrace: test.d:1:10: syntax error near '#'\n"
		       "    BEGIN { x#y; }\n"
		       "             ^\n"},
    {"BEGIN { \303\251 = 1; }", "pydtrace: test.d:1:9: invalid character 0xc3\n"
				"    BEGIN { \303\251 = 1; }\n"
				"            ^\n"},
    {"BEGIN { xlate <int> (x); }", "pydtrace: test.d:1:9: translators are not supported yet\n"
				   "    BEGIN { xlate <int> (x); }\n"
				   "            ^\n"},
    {"BEGIN { x = 1 ? ; }", "pydtrace: test.d:1:17: syntax error near ';'\n"
			    "    BEGIN { x = 1 ? ; }\n"
			    "                    ^\n"},
    {"BEGIN { ]; }", "pydtrace: test.d:1:9: syntax error near ']'\n"
		     "    BEGIN { ]; }\n"
		     "            ^\n"},
    {"BEGIN /]/ { }", "pydtrace: test.d:1:8: syntax error near ']'\n"
		      "    BEGIN /]/ { }\n"
		      "           ^\n"},
    {"BEGIN { x = ''; }", "pydtrace: test.d:1:13: empty character constant\n"
			  "    BEGIN { x = ''; }\n"
			  "                ^\n"},
    {"BEGIN { x = int; }", "pydtrace: test.d:1:13: syntax error near 'int'\n"
			   "    BEGIN { x = int; }\n"
			   "                ^\n"},
    {"BEGIN { int x; }", "pydtrace: test.d:1:9: syntax error near 'int'\n"
			 "    BEGIN { int x; }\n"
			 "            ^\n"},
    {"int 3;", "pydtrace: test.d:1:5: syntax error near '3'\n"
	       "    int 3;\n"
	       "        ^\n"},
    {"int x", "pydtrace: test.d:1:6: syntax error at the end of the text\n"
	      "    int x\n"
	      "         ^\n"},
    {"profile-1:int i { }", "pydtrace: test.d:1:15: syntax error near 'i'\n"
			    "    profile-1:int i { }\n"
			    "                  ^\n"},
    {"BEGIN END { }", "pydtrace: test.d:1:7: syntax error near 'END'\n"
		      "    BEGIN END { }\n"
		      "          ^\n"},
    {"self;", "pydtrace: test.d:1:5: syntax error near ';'\n"
	      "    self;\n"
	      "        ^\n"},
    {"self = 1;", "pydtrace: test.d:1:6: syntax error near '='\n"
		  "    self = 1;\n"
		  "         ^\n"},
    {"int ********** x;", "pydtrace: test.d:1:13: a type has too many '*' (at most 8)\n"
			  "    int ********** x;\n"
			  "                ^\n"},
    {"int f(int);", "pydtrace: test.d:1:6: syntax error near '('\n"
		    "    int f(int);\n"
		    "         ^\n"},
    {"BEGIN, { }", "pydtrace: test.d:1:8: syntax error near '{'\n"
		   "    BEGIN, { }\n"
		   "           ^\n"},
    {", BEGIN { }", "pydtrace: test.d:1:1: syntax error near ','\n"
		    "    , BEGIN { }\n"
		    "    ^\n"},
    {"BEGIN { }}", "pydtrace: test.d:1:10: syntax error near '}'\n"
		   "    BEGIN { }}\n"
		   "             ^\n"},
    {"BEGIN {", "pydtrace: test.d:1:8: syntax error at the end of the text\n"
		"    BEGIN {\n"
		"           ^\n"},
    {"#line x", "pydtrace: test.d:1:1: a # line needs a line number\n"
		"    #line x\n"
		"    ^\n"},
    {"#error stop here", "pydtrace: test.d:1:1: #error: stop here\n"
			 "    #error stop here\n"
			 "    ^\n"},
    {"/* */", "pydtrace: test.d: the script is empty: it names no probe\n"},
    {"BEGIN { x = ((callout_t *)arg0)->c_func; }", "pydtrace: test.d:1:15: unknown type 'callout_t'\n"
						   "    BEGIN { x = ((callout_t *)arg0)->c_func; }\n"
						   "                  ^\n"},
    {"BEGIN { x = sizeof(foo_t * *); }", "pydtrace: test.d:1:20: unknown type 'foo_t'\n"
					 "    BEGIN { x = sizeof(foo_t * *); }\n"
					 "                       ^\n"},
    {"inline int A[int x] = 2;", "pydtrace: test.d:1:13: syntax error near '['\n"
				 "    inline int A[int x] = 2;\n"
				 "                ^\n"},
    {"BEGIN { inline int x = 1; }", "pydtrace: test.d:1:9: syntax error near 'inline'\n"
				    "    BEGIN { inline int x = 1; }\n"
				    "            ^\n"},
    {"BEGIN\n{\n\tx = 1;\n\ty = 2\n\tz = 3;\n}\n", "pydtrace: test.d:5:2: syntax error near 'z'\n"
						   "    \tz = 3;\n"
						   "    \t^\n"},
    {"BEGIN { x = \"a\nb\"; }", "pydtrace: test.d:1:13: unterminated string\n"
				"    BEGIN { x = \"a\n"
				"                ^\n"},
    {"BEGIN { x = \"a\\", "pydtrace: test.d:1:13: unterminated string\n"
			  "    BEGIN { x = \"a\\\n"
			  "                ^\n"},
    {"BEGIN { x = \001; }", "pydtrace: test.d:1:13: invalid character 0x01\n"
			    "    BEGIN { x = \\x01; }\n"
			    "                ^\n"},
    {"\001\002", "pydtrace: test.d:1:1: invalid character 0x01\n"
		 "    \\x01\\x02\n"
		 "    ^\n"},
    {"BEGIN \177", "pydtrace: test.d:1:7: invalid character 0x7f\n"
		   "    BEGIN \\x7f\n"
		   "          ^\n"},
    {"", "pydtrace: test.d: the script is empty: it names no probe\n"},
    {"   \n\t\n", "pydtrace: test.d: the script is empty: it names no probe\n"},
    {"#!/usr/sbin/dtrace -s\n", "pydtrace: test.d: the script is empty: it names no probe\n"},
    {"BEGIN { trace(1); }\n/* never\nclosed", "pydtrace: test.d:2:1: unterminated comment\n"
					      "    /* never\n"
					      "    ^\n"},
    {"BEGIN /execname == \"\n/ { }", "pydtrace: test.d:1:20: unterminated string\n"
				     "    BEGIN /execname == \"\n"
				     "                       ^\n"},
    {"a:b:c:$1:d { }",
     "pydtrace: test.d:1:1: 'a:b:c:123:d' has too many parts: at most provider:module:function:name\n"
     "    a:b:c:$1:d { }\n"
     "    ^\n"},
    {"BEGIN /x[1/ { }", "pydtrace: test.d:1:11: closing ] expected in the predicate before /\n"
			"    BEGIN /x[1/ { }\n"
			"              ^\n"},
    {"int x, y\nz;", "pydtrace: test.d:2:1: syntax error near 'z'\n"
		     "    z;\n"
		     "    ^\n"},
};

static const struct error_case expressions[] = {
    {"BEGIN { foo(1); }", "pydtrace: test.d:1:9: unknown function 'foo'\n"
			  "    BEGIN { foo(1); }\n"
			  "            ^\n"},
    {"BEGIN { x = y; }", "pydtrace: test.d:1:13: unknown variable 'y'\n"
			 "    BEGIN { x = y; }\n"
			 "                ^\n"},
    {"BEGIN { x = 1 / 0; }", "pydtrace: test.d:1:15: division by zero\n"
			     "    BEGIN { x = 1 / 0; }\n"
			     "                  ^\n"},
    {"BEGIN { x = \"a\" < 1; }", "pydtrace: test.d:1:17: operands have incompatible types: \"string\" < \"int\"\n"
				 "    BEGIN { x = \"a\" < 1; }\n"
				 "                    ^\n"},
    {"BEGIN { pid = 3; }", "pydtrace: test.d:1:13: operator = cannot change 'pid': it is a built-in variable\n"
			   "    BEGIN { pid = 3; }\n"
			   "                ^\n"},
    {"BEGIN { 1 = 3; }", "pydtrace: test.d:1:11: operator = needs a variable on its left\n"
			 "    BEGIN { 1 = 3; }\n"
			 "              ^\n"},
    {"BEGIN { trace(curthread->t_cpu); }", "pydtrace: test.d:1:15: 'curthread' is not supported yet\n"
					   "    BEGIN { trace(curthread->t_cpu); }\n"
					   "                  ^\n"},
    {"BEGIN { a[1] = 2; a[1,2] = 3; }", "pydtrace: test.d:1:19: a takes 1 key (line 1), not 2\n"
					"    BEGIN { a[1] = 2; a[1,2] = 3; }\n"
					"                      ^\n"},
    {"BEGIN { a[1] = 2; a[\"x\"] = 3; }", "pydtrace: test.d:1:21: key #1 of a is \"int\", not \"string\"\n"
					  "    BEGIN { a[1] = 2; a[\"x\"] = 3; }\n"
					  "                        ^\n"},
    {"BEGIN { a[1] = 2; x = a; }", "pydtrace: test.d:1:23: a is an array with 1 key (line 1)\n"
				   "    BEGIN { a[1] = 2; x = a; }\n"
				   "                          ^\n"},
    {"BEGIN { x = 1; x[1] = 2; }", "pydtrace: test.d:1:9: x is an array with 1 key (line 1)\n"
				   "    BEGIN { x = 1; x[1] = 2; }\n"
				   "            ^\n"},
    {"int x; int x;", "pydtrace: test.d:1:12: x is already declared at line 1\n"
		      "    int x; int x;\n"
		      "               ^\n"},
    {"int pid;", "pydtrace: test.d:1:5: 'pid' is a name of D's own\n"
		 "    int pid;\n"
		 "        ^\n"},
    {"void v;", "pydtrace: test.d:1:6: a variable cannot have the type \"void\"\n"
		"    void v;\n"
		"         ^\n"},
    {"BEGIN /execname/ { }", "pydtrace: test.d:1:8: a predicate must be an integer or a pointer, not \"string\"\n"
			     "    BEGIN /execname/ { }\n"
			     "           ^\n"},
    {"BEGIN { trace(args[7]); }", "pydtrace: test.d:1:15: the probe has no argument args[7]\n"
				  "    BEGIN { trace(args[7]); }\n"
				  "                  ^\n"},
    {"BEGIN { self->x; }", "pydtrace: test.d:1:9: self->x has not been declared or assigned\n"
			   "    BEGIN { self->x; }\n"
			   "            ^\n"},
    {"BEGIN { x = sizeof(void); }", "pydtrace: test.d:1:13: sizeof cannot be applied to \"void\"\n"
				    "    BEGIN { x = sizeof(void); }\n"
				    "                ^\n"},
    {"BEGIN { x = *arg0; }", "pydtrace: test.d:1:13: operator * needs a pointer, not \"int64_t\"\n"
			     "    BEGIN { x = *arg0; }\n"
			     "                ^\n"},
    {"BEGIN { x = *(void *)arg0; }",
     "pydtrace: test.d:1:13: what a \"void *\" points to cannot be read: cast it first\n"
     "    BEGIN { x = *(void *)arg0; }\n"
     "                ^\n"},
    {"BEGIN { x = \"a\" + 1; }", "pydtrace: test.d:1:17: operands have incompatible types: \"string\" + \"int\"\n"
				 "    BEGIN { x = \"a\" + 1; }\n"
				 "                    ^\n"},
    {"BEGIN { \"a\" && 1; }", "pydtrace: test.d:1:13: operator && needs integers or pointers, not \"string\"\n"
			      "    BEGIN { \"a\" && 1; }\n"
			      "                ^\n"},
    {"BEGIN { x = 1 ? \"a\" : 2; }",
     "pydtrace: test.d:1:15: operands have incompatible types: \"string\" : \"int\"\n"
     "    BEGIN { x = 1 ? \"a\" : 2; }\n"
     "                  ^\n"},
    {"BEGIN { x = a.b; a = 1; }",
     "pydtrace: test.d:1:14: 'b' is a member of a structure, and structures are not supported yet\n"
     "    BEGIN { x = a.b; a = 1; }\n"
     "                 ^\n"},
    {"BEGIN { x = 3; x = \"s\"; }",
     "pydtrace: test.d:1:18: operands have incompatible types: \"int\" = \"string\"\n"
     "    BEGIN { x = 3; x = \"s\"; }\n"
     "                     ^\n"},
    {"BEGIN { x = \"a\" == 0; y = execname < 0; }",
     "pydtrace: test.d:1:36: operands have incompatible types: \"string\" < \"int\"\n"
     "    BEGIN { x = \"a\" == 0; y = execname < 0; }\n"
     "                                       ^\n"},
    {"BEGIN { x += \"a\"; }", "pydtrace: test.d:1:11: operands have incompatible types: \"int64_t\" += \"string\"\n"
			      "    BEGIN { x += \"a\"; }\n"
			      "              ^\n"},
    {"BEGIN { x = 1; x %= 0; }", "pydtrace: test.d:1:18: division by zero\n"
				 "    BEGIN { x = 1; x %= 0; }\n"
				 "                     ^\n"},
    {"BEGIN { x = -\"a\"; }", "pydtrace: test.d:1:13: operator - needs an integer, not \"string\"\n"
			      "    BEGIN { x = -\"a\"; }\n"
			      "                ^\n"},
    {"BEGIN { x = \"a\"; x++; }",
     "pydtrace: test.d:1:19: operator ++ needs an integer or a pointer, not \"string\"\n"
     "    BEGIN { x = \"a\"; x++; }\n"
     "                      ^\n"},
    {"BEGIN { *(int *)arg0 = 1; }", "pydtrace: test.d:1:22: operator = cannot write to memory: only to variables\n"
				    "    BEGIN { *(int *)arg0 = 1; }\n"
				    "                         ^\n"},
    {"BEGIN { pid++; }", "pydtrace: test.d:1:12: operator ++ cannot change 'pid': it is a built-in variable\n"
			 "    BEGIN { pid++; }\n"
			 "               ^\n"},
    {"BEGIN { x = 1 << \"a\"; }", "pydtrace: test.d:1:15: operands have incompatible types: \"int\" << \"string\"\n"
				  "    BEGIN { x = 1 << \"a\"; }\n"
				  "                  ^\n"},
    {"BEGIN { trace(probefunc[1]); }", "pydtrace: test.d:1:15: 'probefunc' is not an array\n"
				       "    BEGIN { trace(probefunc[1]); }\n"
				       "                  ^\n"},
    {"BEGIN { trace(args); }", "pydtrace: test.d:1:15: args takes one index, an integer constant: args[0]\n"
			       "    BEGIN { trace(args); }\n"
			       "                  ^\n"},
    {"BEGIN { trace(args[x]); x = 1; }",
     "pydtrace: test.d:1:15: args takes one index, an integer constant: args[0]\n"
     "    BEGIN { trace(args[x]); x = 1; }\n"
     "                  ^\n"},
    {"BEGIN { foo->bar; }", "pydtrace: test.d:1:9: unknown variable 'foo'\n"
			    "    BEGIN { foo->bar; }\n"
			    "            ^\n"},
    {"BEGIN { x = (char)\"a\"; }", "pydtrace: test.d:1:13: invalid cast of \"string\" to \"char\"\n"
				   "    BEGIN { x = (char)\"a\"; }\n"
				   "                ^\n"},
    {"this int a[int];",
     "pydtrace: test.d:1:10: this->a cannot be an array: arrays are global, or of a thread (self->a)\n"
     "    this int a[int];\n"
     "             ^\n"},
    {"BEGIN { this->a[1] = 2; }",
     "pydtrace: test.d:1:9: this->a cannot be an array: arrays are global, or of a thread (self->a)\n"
     "    BEGIN { this->a[1] = 2; }\n"
     "            ^\n"},
    {"BEGIN { x = (void *)arg0 + 1; }",
     "pydtrace: test.d:1:26: operands have incompatible types: \"void *\" + \"int\"\n"
     "    BEGIN { x = (void *)arg0 + 1; }\n"
     "                             ^\n"},
    {"int EIO;", "pydtrace: test.d:1:5: 'EIO' is a name of D's own\n"
		 "    int EIO;\n"
		 "        ^\n"},
    {"BEGIN { EIO = 1; }", "pydtrace: test.d:1:13: operator = needs a variable on its left\n"
			   "    BEGIN { EIO = 1; }\n"
			   "                ^\n"},
    {"BEGIN { SIGINT[1]; }", "pydtrace: test.d:1:9: 'SIGINT' is not an array\n"
			     "    BEGIN { SIGINT[1]; }\n"
			     "            ^\n"},
    {"self int t; this int t; int t; self string t;",
     "pydtrace: test.d:1:44: self->t is already declared at line 1\n"
     "    self int t; this int t; int t; self string t;\n"
     "                                               ^\n"},
    {"inline int A = pid;",
     "pydtrace: test.d:1:12: inline A is not a constant: other inline definitions are not supported yet\n"
     "    inline int A = pid;\n"
     "               ^\n"},
    {"inline int A = x; BEGIN { x = 1; }", "pydtrace: test.d:1:16: unknown variable 'x'\n"
					   "    inline int A = x; BEGIN { x = 1; }\n"
					   "                   ^\n"},
    {"inline int A = \"s\";", "pydtrace: test.d:1:12: inline A is \"int\", and its value is \"string\"\n"
			      "    inline int A = \"s\";\n"
			      "               ^\n"},
    {"inline int A = 1; BEGIN { A = 2; }", "pydtrace: test.d:1:29: operator = needs a variable on its left\n"
					   "    inline int A = 1; BEGIN { A = 2; }\n"
					   "                                ^\n"},
    {"inline int A = 1; BEGIN { A[1] = 2; }", "pydtrace: test.d:1:27: 'A' is not an array\n"
					      "    inline int A = 1; BEGIN { A[1] = 2; }\n"
					      "                              ^\n"},
    {"inline int A = 1; int A;", "pydtrace: test.d:1:23: A is already declared at line 1\n"
				 "    inline int A = 1; int A;\n"
				 "                          ^\n"},
    {"inline int A = args[0];", "pydtrace: test.d:1:16: args has a meaning in a clause only\n"
				"    inline int A = args[0];\n"
				"                   ^\n"},
    {"inline int A = B; inline int B = 1;", "pydtrace: test.d:1:16: unknown variable 'B'\n"
					    "    inline int A = B; inline int B = 1;\n"
					    "                   ^\n"},
    {"# 12 \"lib.d\"\nBEGIN\n{ x = y; }\n", "pydtrace: lib.d:13:7: unknown variable 'y'\n"
					    "    { x = y; }\n"
					    "          ^\n"},
    {"#line 7\nBEGIN { y; }", "pydtrace: test.d:7:9: unknown variable 'y'\n"
			      "    BEGIN { y; }\n"
			      "            ^\n"},
    {"BEGIN\n{\n\tself->x[1] = 1;\n\tself->x[1, 2] = 1;\n}\n",
     "pydtrace: test.d:4:2: self->x takes 1 key (line 3), not 2\n"
     "    \tself->x[1, 2] = 1;\n"
     "    \t^\n"},
};

static const struct error_case calls[] = {
    {"BEGIN { printf(pid); }",
     "pydtrace: test.d:1:16: printf() argument #1 must be a string constant, not \"pid_t\"\n"
     "    BEGIN { printf(pid); }\n"
     "                   ^\n"},
    {"BEGIN { system(\"ls\"); }",
     "pydtrace: test.d:1:9: system() is a destructive action: allow it with -w or #pragma D option destructive\n"
     "    BEGIN { system(\"ls\"); }\n"
     "            ^\n"},
    {"BEGIN { exit(\"a\"); }", "pydtrace: test.d:1:14: exit() argument #1 must be an integer, not \"string\"\n"
			       "    BEGIN { exit(\"a\"); }\n"
			       "                 ^\n"},
    {"BEGIN { exit(); }", "pydtrace: test.d:1:9: exit() takes 1 argument, not 0\n"
			  "    BEGIN { exit(); }\n"
			  "            ^\n"},
    {"BEGIN { x = printf(\"a\"); }",
     "pydtrace: test.d:1:13: printf() is an action: it must be a statement of its own\n"
     "    BEGIN { x = printf(\"a\"); }\n"
     "                ^\n"},
    {"BEGIN { stack(); }", "pydtrace: test.d:1:9: stack() is not supported yet\n"
			   "    BEGIN { stack(); }\n"
			   "            ^\n"},
    {"BEGIN { x = strlen; }", "pydtrace: test.d:1:13: 'strlen' is a function: call it as strlen()\n"
			      "    BEGIN { x = strlen; }\n"
			      "                ^\n"},
    {"BEGIN { x = copyin(1,2); }",
     "pydtrace: test.d:1:11: what copyin() gives cannot be kept: trace it, or cast it and read it\n"
     "    BEGIN { x = copyin(1,2); }\n"
     "              ^\n"},
    {"BEGIN { x = (string)arg0; }",
     "pydtrace: test.d:1:13: \"int64_t\" cannot be cast to a string: copyinstr() reads one from an address\n"
     "    BEGIN { x = (string)arg0; }\n"
     "                ^\n"},
    {"BEGIN { copyinstr(1,2,3); }", "pydtrace: test.d:1:9: copyinstr() takes 1 or 2 arguments, not 3\n"
				    "    BEGIN { copyinstr(1,2,3); }\n"
				    "            ^\n"},
    {"BEGIN { strlen(3); }", "pydtrace: test.d:1:16: strlen() argument #1 must be a string, not \"int\"\n"
			     "    BEGIN { strlen(3); }\n"
			     "                   ^\n"},
    {"BEGIN { trace(1, 2); }", "pydtrace: test.d:1:9: trace() takes 1 argument, not 2\n"
			       "    BEGIN { trace(1, 2); }\n"
			       "            ^\n"},
    {"BEGIN { trace(); }", "pydtrace: test.d:1:9: trace() takes 1 argument, not 0\n"
			   "    BEGIN { trace(); }\n"
			   "            ^\n"},
    {"BEGIN { printf(); }", "pydtrace: test.d:1:9: printf() takes at least 1 argument, not 0\n"
			    "    BEGIN { printf(); }\n"
			    "            ^\n"},
    {"BEGIN { trunc(@a, \"x\"); @a = count(); }",
     "pydtrace: test.d:1:19: trunc() argument #2 must be an integer, not \"string\"\n"
     "    BEGIN { trunc(@a, \"x\"); @a = count(); }\n"
     "                      ^\n"},
    {"BEGIN { raise(9); }",
     "pydtrace: test.d:1:9: raise() is a destructive action: allow it with -w or #pragma D option destructive\n"
     "    BEGIN { raise(9); }\n"
     "            ^\n"},
};

static const struct error_case aggregations[] = {
    {"BEGIN { @a = count(); } END { @a = sum(1); }",
     "pydtrace: test.d:1:31: @a is sum() here and count() at line 1\n"
     "    BEGIN { @a = count(); } END { @a = sum(1); }\n"
     "                                  ^\n"},
    {"BEGIN { @a[1] = count(); @a[1,2] = count(); }", "pydtrace: test.d:1:26: @a has 2 keys here and 1 at line 1\n"
						      "    BEGIN { @a[1] = count(); @a[1,2] = count(); }\n"
						      "                             ^\n"},
    {"BEGIN { @a[\"x\"] = count(); @a[2] = count(); }",
     "pydtrace: test.d:1:31: key #1 of @a is \"int\" here and \"string\" at line 1\n"
     "    BEGIN { @a[\"x\"] = count(); @a[2] = count(); }\n"
     "                                  ^\n"},
    {"BEGIN { @a = lquantize(1, 0, 10); @a = lquantize(1, 0, 20); }",
     "pydtrace: test.d:1:35: @a has other parameters of lquantize() here than at line 1\n"
     "    BEGIN { @a = lquantize(1, 0, 10); @a = lquantize(1, 0, 20); }\n"
     "                                      ^\n"},
    {"BEGIN { @a = lquantize(1, 10, 0); }",
     "pydtrace: test.d:1:14: lquantize() base (argument #2) must be less than limit (argument #3)\n"
     "    BEGIN { @a = lquantize(1, 10, 0); }\n"
     "                 ^\n"},
    {"BEGIN { @a = lquantize(1, pid, 5); }", "pydtrace: test.d:1:27: lquantize() argument #2 must be a constant\n"
					     "    BEGIN { @a = lquantize(1, pid, 5); }\n"
					     "                              ^\n"},
    {"BEGIN { @a = 1; }",
     "pydtrace: test.d:1:14: @a takes the result of an aggregating function: count(), sum() ...\n"
     "    BEGIN { @a = 1; }\n"
     "                 ^\n"},
    {"BEGIN { @a; }", "pydtrace: test.d:1:9: @a cannot be used as a value\n"
		      "    BEGIN { @a; }\n"
		      "            ^\n"},
    {"BEGIN { printa(@b); }", "pydtrace: test.d:1:16: @b is never filled\n"
			      "    BEGIN { printa(@b); }\n"
			      "                   ^\n"},
    {"BEGIN { x = count(); }",
     "pydtrace: test.d:1:13: count() can only be assigned to an aggregation: @name[keys] = count(...)\n"
     "    BEGIN { x = count(); }\n"
     "                ^\n"},
    {"BEGIN { clear(@a[1]); @a[1] = count(); }", "pydtrace: test.d:1:15: @a is named here without keys\n"
						 "    BEGIN { clear(@a[1]); @a[1] = count(); }\n"
						 "                  ^\n"},
    {"BEGIN { @a[@b] = count(); }", "pydtrace: test.d:1:12: @b cannot be used as a value\n"
				    "    BEGIN { @a[@b] = count(); }\n"
				    "               ^\n"},
    {"BEGIN { trace(@b); @b = count(); }", "pydtrace: test.d:1:15: @b cannot be used as a value\n"
					   "    BEGIN { trace(@b); @b = count(); }\n"
					   "                  ^\n"},
    {"BEGIN { @a = llquantize(1, 10, 0, 6, 7); }", "pydtrace: test.d:1:14: llquantize() factor (argument #2) must "
						   "not be more than the number of steps (argument #5)\n"
						   "    BEGIN { @a = llquantize(1, 10, 0, 6, 7); }\n"
						   "                 ^\n"},
    {"BEGIN { @a = llquantize(1, 10, 6, 6, 10); }",
     "pydtrace: test.d:1:14: llquantize() low (argument #3) must be less than high (argument #4)\n"
     "    BEGIN { @a = llquantize(1, 10, 6, 6, 10); }\n"
     "                 ^\n"},
    {"BEGIN { @a = llquantize(1, 10, 0, 30, 10); }",
     "pydtrace: test.d:1:14: llquantize() factor raised to high overflows 64 bits\n"
     "    BEGIN { @a = llquantize(1, 10, 0, 30, 10); }\n"
     "                 ^\n"},
    {"BEGIN { @a = llquantize(1, 1, 0, 3, 10); }",
     "pydtrace: test.d:1:14: llquantize() factor (argument #2) must be two or more\n"
     "    BEGIN { @a = llquantize(1, 1, 0, 3, 10); }\n"
     "                 ^\n"},
    {"BEGIN { @a = lquantize(1, 0, 100, 0); }",
     "pydtrace: test.d:1:14: lquantize() step (argument #4) must be from 1 to 65535\n"
     "    BEGIN { @a = lquantize(1, 0, 100, 0); }\n"
     "                 ^\n"},
    {"BEGIN { @a = lquantize(1, 0, 10000000); }",
     "pydtrace: test.d:1:14: lquantize() makes too many levels (at most 65535): use a larger step\n"
     "    BEGIN { @a = lquantize(1, 0, 10000000); }\n"
     "                 ^\n"},
    {"BEGIN { @a = lquantize(1, 0, 10000000000); }",
     "pydtrace: test.d:1:14: lquantize() base and limit must fit in 32 bits\n"
     "    BEGIN { @a = lquantize(1, 0, 10000000000); }\n"
     "                 ^\n"},
    {"BEGIN { @a = lquantize(1); }", "pydtrace: test.d:1:14: lquantize() takes 3 or 4 arguments, not 1\n"
				     "    BEGIN { @a = lquantize(1); }\n"
				     "                 ^\n"},
    {"BEGIN { @a = count(1); }", "pydtrace: test.d:1:14: count() takes 0 arguments, not 1\n"
				 "    BEGIN { @a = count(1); }\n"
				 "                 ^\n"},
    {"BEGIN { @a = sum(\"x\"); }", "pydtrace: test.d:1:18: sum() argument #1 must be an integer, not \"string\"\n"
				   "    BEGIN { @a = sum(\"x\"); }\n"
				   "                     ^\n"},
    {"BEGIN { @a[copyin(arg0, 1)] = count(); }", "pydtrace: test.d:1:12: key #1 of @a cannot be \"<bytes>\"\n"
						 "    BEGIN { @a[copyin(arg0, 1)] = count(); }\n"
						 "               ^\n"},
    {"BEGIN { @a = count(), x = 1; }",
     "pydtrace: test.d:1:12: @a takes the result of an aggregating function, in a statement of its own\n"
     "    BEGIN { @a = count(), x = 1; }\n"
     "               ^\n"},
    {"BEGIN { x = y = @b; }", "pydtrace: test.d:1:17: @b cannot be used as a value\n"
			      "    BEGIN { x = y = @b; }\n"
			      "                    ^\n"},
    {"BEGIN { printa(); }", "pydtrace: test.d:1:9: printa() takes an aggregation, as @name\n"
			    "    BEGIN { printa(); }\n"
			    "            ^\n"},
    {"BEGIN { printa(\"x\"); }", "pydtrace: test.d:1:9: printa() takes an aggregation, as @name\n"
				 "    BEGIN { printa(\"x\"); }\n"
				 "            ^\n"},
    {"BEGIN { printa(1); }", "pydtrace: test.d:1:16: printa() argument #1 must be an aggregation, as @name\n"
			     "    BEGIN { printa(1); }\n"
			     "                   ^\n"},
    {"BEGIN { clear(1); }",
     "pydtrace: test.d:1:15: clear() argument #1 must be an aggregation, as @name, not \"int\"\n"
     "    BEGIN { clear(1); }\n"
     "                  ^\n"},
    {"BEGIN { @a[1] = count(); @b = count(); printa(@a, @b); }",
     "pydtrace: test.d:1:51: @a and @b do not have the same keys\n"
     "    BEGIN { @a[1] = count(); @b = count(); printa(@a, @b); }\n"
     "                                                      ^\n"},
    {"BEGIN { @ = lquantize(1, 2, 3, 4); }",
     "pydtrace: test.d:1:13: lquantize() step (argument #4) is larger than limit - base\n"
     "    BEGIN { @ = lquantize(1, 2, 3, 4); }\n"
     "                ^\n"},
    {"# 12 \"lib.d\"\nBEGIN { @a = count(); }\n# 1 \"k.d\" 2\n# 0 \"<stdin>\"\n\nEND {\n\t@a = sum(3); }\n",
     "pydtrace: <stdin>:2:2: @a is sum() here and count() at lib.d:12\n"
     "    \t@a = sum(3); }\n"
     "    \t^\n"},
    {"BEGIN { @[\"a\"] = count(); @[1] = count(); }",
     "pydtrace: test.d:1:29: key #1 of @_ is \"int\" here and \"string\" at line 1\n"
     "    BEGIN { @[\"a\"] = count(); @[1] = count(); }\n"
     "                                ^\n"},
};

static const struct error_case formats[] = {
    {"BEGIN { printf(\"%d\", \"a\"); }",
     "pydtrace: test.d:1:22: printf() format conversion #1 (%d) takes an integer, not \"string\"\n"
     "    BEGIN { printf(\"%d\", \"a\"); }\n"
     "                         ^\n"},
    {"BEGIN { printf(\"%s\", pid); }",
     "pydtrace: test.d:1:22: printf() format conversion #1 (%s) takes a string, not \"pid_t\"\n"
     "    BEGIN { printf(\"%s\", pid); }\n"
     "                         ^\n"},
    {"BEGIN { printf(\"%d %d\", 1); }",
     "pydtrace: test.d:1:16: printf() format conversion #2 (%d) has no argument\n"
     "    BEGIN { printf(\"%d %d\", 1); }\n"
     "                   ^\n"},
    {"BEGIN { printf(\"a\", 1); }", "pydtrace: test.d:1:21: printf() format takes 0 arguments, not 1\n"
				    "    BEGIN { printf(\"a\", 1); }\n"
				    "                        ^\n"},
    {"BEGIN { printf(\"%f\", 1); }", "pydtrace: test.d:1:16: printf() format conversion #1 (%f) prints "
				     "floating-point numbers, which D does not have\n"
				     "    BEGIN { printf(\"%f\", 1); }\n"
				     "                   ^\n"},
    {"BEGIN { printf(\"%\", 1); }", "pydtrace: test.d:1:16: printf() format conversion #1 has no conversion "
				    "character before the end of the format\n"
				    "    BEGIN { printf(\"%\", 1); }\n"
				    "                   ^\n"},
    {"BEGIN { printf(\"%b\", 1); }", "pydtrace: test.d:1:16: printf() format conversion #1 is undefined: %b\n"
				     "    BEGIN { printf(\"%b\", 1); }\n"
				     "                   ^\n"},
    {"BEGIN { @a[pid]=count(); printa(\"%s %@d\", @a); }",
     "pydtrace: test.d:1:33: printa() format conversion #1 (%s) takes a string, not \"pid_t\"\n"
     "    BEGIN { @a[pid]=count(); printa(\"%s %@d\", @a); }\n"
     "                                    ^\n"},
    {"BEGIN { @a[pid]=count(); printa(\"%d %d %@d\", @a); }",
     "pydtrace: test.d:1:33: printa() format conversion #2 (%d) has no key\n"
     "    BEGIN { @a[pid]=count(); printa(\"%d %d %@d\", @a); }\n"
     "                                    ^\n"},
    {"BEGIN { @a[pid]=count(); printa(\"%d %@s\", @a); }",
     "pydtrace: test.d:1:33: printa() format conversion #2 (%@s) cannot print an aggregation's value\n"
     "    BEGIN { @a[pid]=count(); printa(\"%d %@s\", @a); }\n"
     "                                    ^\n"},
    {"BEGIN { printf(\"%99999d\", 1); }", "pydtrace: test.d:1:16: printf() format conversion #1 is too wide\n"
					  "    BEGIN { printf(\"%99999d\", 1); }\n"
					  "                   ^\n"},
    {"BEGIN { printf(\"\"); }", "pydtrace: test.d:1:16: printf() format is empty\n"
				"    BEGIN { printf(\"\"); }\n"
				"                   ^\n"},
    {"BEGIN { printf(\"%*d\", \"a\", 1); }",
     "pydtrace: test.d:1:23: printf() format conversion #1 takes an integer as width, not \"string\"\n"
     "    BEGIN { printf(\"%*d\", \"a\", 1); }\n"
     "                          ^\n"},
    {"BEGIN { printf(\"%*d\"); }",
     "pydtrace: test.d:1:16: printf() format conversion #1 has no argument for its width '*'\n"
     "    BEGIN { printf(\"%*d\"); }\n"
     "                   ^\n"},
    {"BEGIN { printf(\"%@d\", 1); }", "pydtrace: test.d:1:16: printf() format conversion #1: %@ is for printa()\n"
				      "    BEGIN { printf(\"%@d\", 1); }\n"
				      "                   ^\n"},
    {"BEGIN { @a = count(); @b = count(); printa(\"%@d %@d %@d\", @a, @b); }",
     "pydtrace: test.d:1:44: printa() format conversion #3 has no aggregation\n"
     "    BEGIN { @a = count(); @b = count(); printa(\"%@d %@d %@d\", @a, @b); }\n"
     "                                               ^\n"},
};

#define CASES(group)                                                                                               \
	static void group##_are_refused(void **state)                                                              \
	{                                                                                                          \
		for (size_t i = 0; i < ARRAY_SIZE(group); i++)                                                     \
			expect_error(group[i].text, group[i].message);                                             \
	}

CASES(syntax)
CASES(expressions)
CASES(calls)
CASES(aggregations)
CASES(formats)

/* -P, -m, -f and -i read the head of a clause in their own way. */
static void descriptions_have_few_parts(void **state)
{
	expect_error_with("a:b", &(struct compile_options){.bare = D_DESC_PROV + 1},
			  "pydtrace: test.d:1:1: 'a:b' has too many parts: at most provider\n"
			  "    a:b\n"
			  "    ^\n");
	expect_error_with("a:b:c:d", &(struct compile_options){.bare = D_DESC_FUNC + 1},
			  "pydtrace: test.d:1:1: 'a:b:c:d' has too many parts: at most provider:module:function\n"
			  "    a:b:c:d\n"
			  "    ^\n");
	expect_error_with("BEGIN", &(struct compile_options){.by_id = true},
			  "pydtrace: test.d:1:1: 'BEGIN' is not the id of a probe\n"
			  "    BEGIN\n"
			  "    ^\n");
	expect_error_with("99999999999", &(struct compile_options){.by_id = true},
			  "pydtrace: test.d:1:1: '99999999999' is not the id of a probe\n"
			  "    99999999999\n"
			  "    ^\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(syntax_are_refused),  cmocka_unit_test(expressions_are_refused),
	    cmocka_unit_test(calls_are_refused),   cmocka_unit_test(aggregations_are_refused),
	    cmocka_unit_test(formats_are_refused), cmocka_unit_test(descriptions_have_few_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
